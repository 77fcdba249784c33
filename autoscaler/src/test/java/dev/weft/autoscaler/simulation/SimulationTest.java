package dev.weft.autoscaler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.simulation.Fault.ControllerPauses;
import dev.weft.autoscaler.simulation.Fault.DeviceDies;
import dev.weft.autoscaler.simulation.Fault.DeviceSlows;
import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.autoscaler.simulation.Scenario.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SimulationTest {
  private static final long SECOND = 1_000_000_000L;

  private static Scenario scenario(int calls, Kind policy) {
    return Scenario.of(
        TestScenarios.trace(new Random(7), 24, calls, 120),
        TestScenarios.model(),
        TestScenarios.devices(2, 2, 40),
        policy);
  }

  private static void sound(SimulationResult result, Scenario scenario) {
    assertThat(result.requests()).isEqualTo(scenario.trace().calls().size());
    assertThat(result.unfinished()).as("every request ends").isZero();
    assertThat(result.overCommits()).as("memory is enough").isZero();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theSameSeedGivesTheSameResult(Kind policy) {
    Scenario scenario = scenario(600, policy);
    SimulationResult once = Simulation.run(scenario, new Random(3));
    assertThat(Simulation.run(scenario, new Random(3))).isEqualTo(once);
    sound(once, scenario);
  }

  @Test
  void sharingServesMoreThanExclusiveDevicesAndHalves() {
    SimulationResult mesh = Simulation.run(scenario(1_200, Kind.LLM_MESH), new Random(3));
    SimulationResult alone = Simulation.run(scenario(1_200, Kind.EXCLUSIVE), new Random(3));
    SimulationResult halves = Simulation.run(scenario(1_200, Kind.STATIC_HALF), new Random(3));
    assertThat(mesh.sloMet()).isGreaterThan(alone.sloMet()).isGreaterThan(halves.sloMet());
    assertThat(alone.sloMet()).isPositive();
  }

  @Test
  void littleLoadIsServedOnFewDevices() {
    Scenario scenario =
        Scenario.of(
            TestScenarios.trace(new Random(7), 4, 100, 600),
            TestScenarios.model(),
            TestScenarios.devices(2, 2, 40),
            Kind.LLM_MESH);
    SimulationResult result = Simulation.run(scenario, new Random(1));
    assertThat(result.sloMet()).isEqualTo(result.requests());
    assertThat(result.devicesUsedMean()).isLessThan(2);
  }

  @ParameterizedTest
  @EnumSource(Mechanism.class)
  void staysSoundWithoutAnyOneMechanism(Mechanism mechanism) {
    Scenario scenario = scenario(800, Kind.LLM_MESH);
    Scenario without = scenario.with(Mechanisms.ALL.without(mechanism));
    sound(Simulation.run(without, new Random(3)), without);
  }

  /// Devices die and come back, become slower, and nobody makes instances for a while, at random
  /// times; the seed replays it.
  @Property(tries = 200)
  void faultsLoseNothing(@ForAll long seed) {
    Random random = new Random(seed);
    List<Fault> faults = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      long at = random.nextLong(100 * SECOND);
      long until = at + random.nextLong(1, 30 * SECOND);
      faults.add(
          switch (random.nextInt(3)) {
            case 0 -> new DeviceDies(random.nextInt(4), at, until);
            case 1 -> new DeviceSlows(random.nextInt(4), 3, at, until);
            default -> new ControllerPauses(at, until);
          });
    }
    Scenario scenario =
        Scenario.of(
                TestScenarios.trace(random, 16, 250, 100),
                TestScenarios.model(),
                TestScenarios.devices(2, 2, 30 + random.nextInt(50)),
                Kind.LLM_MESH)
            .with(faults);
    sound(Simulation.run(scenario, new Random(seed)), scenario);
  }

  /// The profile follows a device that became three times slower, so that promises made on it are
  /// kept; without that it takes more than it can do.
  @Test
  void aSlowDeviceIsGivenLess() {
    Scenario slow =
        Scenario.of(
                TestScenarios.trace(new Random(5), 3, 600, 300),
                TestScenarios.model(),
                TestScenarios.devices(0, 2, 60),
                Kind.LLM_MESH)
            .with(List.of(new DeviceSlows(0, 8, 20 * SECOND, 400 * SECOND)));
    SimulationResult follows = Simulation.run(slow, new Random(1));
    SimulationResult fixed =
        Simulation.run(slow.with(Mechanisms.ALL.without(Mechanism.REFINEMENT)), new Random(1));
    assertThat(follows.sloMet()).isGreaterThan(fixed.sloMet());
  }
}
