package dev.weft.autoscaler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.scheduling.TokenTarget;
import dev.weft.autoscaler.simulation.Fault.ControllerPauses;
import dev.weft.autoscaler.simulation.Fault.DeviceDies;
import dev.weft.autoscaler.simulation.Fault.DeviceSlows;
import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.autoscaler.simulation.Scenario.Callers;
import dev.weft.autoscaler.simulation.Scenario.Kind;
import dev.weft.autoscaler.simulation.SimulationResult.FunctionShare;
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

  @ParameterizedTest
  @EnumSource(Kind.class)
  void whoeverHangsUpIsNotServedLate(Kind policy) {
    Scenario scenario = scenario(1_500, policy).with(Callers.HANG_UP);
    SimulationResult result = Simulation.run(scenario, new Random(3));
    sound(result, scenario);
    assertThat(result.firstLate()).isZero();
    assertThat(result.dropped()).isPositive();
  }

  @Test
  void whoeverHangsUpLeavesTheDeviceToOthers() {
    Scenario stay = scenario(1_500, Kind.EXCLUSIVE_SWAP);
    SimulationResult late = Simulation.run(stay, new Random(3));
    SimulationResult left = Simulation.run(stay.with(Callers.HANG_UP), new Random(3));
    assertThat(late.firstLate()).isPositive();
    assertThat(left.sloMet()).isGreaterThan(late.sloMet());
  }

  @Test
  void sharingServesMoreThanExclusiveDevicesAndHalves() {
    SimulationResult mesh = Simulation.run(scenario(400, Kind.LLM_MESH), new Random(3));
    SimulationResult alone = Simulation.run(scenario(400, Kind.EXCLUSIVE), new Random(3));
    SimulationResult halves = Simulation.run(scenario(400, Kind.STATIC_HALF), new Random(3));
    assertThat(mesh.sloMet()).isGreaterThan(alone.sloMet()).isGreaterThan(halves.sloMet());
    assertThat(alone.sloMet()).isPositive();
  }

  /// Another function is called when the only device has been idle for a quarter of a second.
  @Test
  void whereDevicesAreSwappedNobodyWaitsForOneThatIdles() {
    Trace trace =
        Trace.of(
            List.of(
                new Trace.NamedCall("first", 0, 10, 1), new Trace.NamedCall("second", 1.3, 10, 1)));
    List<DeviceSpec> one = TestScenarios.devices(0, 1, 78);
    SimulationResult waits =
        Simulation.run(
            Scenario.of(trace, TestScenarios.model(), one, Kind.EXCLUSIVE), new Random(3));
    SimulationResult takesOver =
        Simulation.run(
            Scenario.of(trace, TestScenarios.model(), one, Kind.EXCLUSIVE_SWAP), new Random(3));
    assertThat(waits.sloMet()).isEqualTo(1);
    assertThat(waits.dropped()).isEqualTo(1);
    assertThat(takesOver.sloMet()).isEqualTo(2);
    assertThat(takesOver.loads()).isEqualTo(2);
    assertThat(takesOver.overCommits()).isZero();
  }

  /// With three times what processors can do, to take everybody's work in turns, or to compute
  /// again what was pushed out, would leave less than a device for each of few functions does.
  @Test
  void processorsAloneServeMoreThanExclusiveOnes() {
    Scenario scenario =
        Scenario.of(
            TestScenarios.trace(new Random(7), 24, 1_000, 600),
            TestScenarios.model(),
            TestScenarios.devices(4, 0, 78),
            Kind.LLM_MESH);
    SimulationResult mesh = Simulation.run(scenario, new Random(3));
    SimulationResult alone =
        Simulation.run(
            Scenario.of(
                scenario.trace(), TestScenarios.model(), scenario.devices(), Kind.EXCLUSIVE),
            new Random(3));
    sound(mesh, scenario);
    assertThat(mesh.sloMet()).isGreaterThan(alone.sloMet());
  }

  private static long starved(SimulationResult result) {
    return result.functions().stream().filter(function -> function.met() == 0).count();
  }

  /// Twenty functions of which a few take most of the time, on one card that holds three at once.
  @Test
  void nobodyStarvesBesideTheGreedy() {
    Scenario scenario =
        Scenario.of(
            TestScenarios.trace(new Random(7), 20, 400, 300),
            TestScenarios.model(),
            TestScenarios.devices(0, 1, 60),
            Kind.LLM_MESH);
    SimulationResult fair = Simulation.run(scenario, new Random(3));
    SimulationResult greedy =
        Simulation.run(scenario.with(Mechanisms.ALL.without(Mechanism.FAIRNESS)), new Random(3));
    sound(fair, scenario);
    assertThat(starved(fair)).isLessThan(starved(greedy));
    assertThat(fair.worstFunctionShare()).isGreaterThan(0);
  }

  /// Of functions that are called as often, those of a higher priority are met more.
  @Test
  void aHigherPriorityIsServedFirst() {
    Scenario scenario =
        Scenario.of(
                TestScenarios.evenTrace(new Random(7), 20, 2_000, 200),
                TestScenarios.model(),
                TestScenarios.devices(0, 2, 40),
                Kind.LLM_MESH)
            .with(function -> function < 4 ? 1 : 0, _ -> TokenTarget.byPromptLength());
    SimulationResult result = Simulation.run(scenario, new Random(3));
    sound(result, scenario);
    double high = result.functions().stream().limit(4).mapToDouble(FunctionShare::share).sum() / 4;
    double low = result.functions().stream().skip(4).mapToDouble(FunctionShare::share).sum() / 16;
    assertThat(high).isGreaterThan(low + 0.1);
  }

  /// A function that promises less is met where one that promises more would not be.
  @Test
  void eachFunctionHasItsOwnServiceLevel() {
    TokenTarget patient = new TokenTarget(60 * SECOND, 0, 60 * SECOND, SECOND);
    Scenario scenario =
        Scenario.of(
                TestScenarios.evenTrace(new Random(7), 20, 2_000, 200),
                TestScenarios.model(),
                TestScenarios.devices(0, 2, 40),
                Kind.LLM_MESH)
            .with(_ -> 0, function -> function < 10 ? patient : TokenTarget.byPromptLength());
    SimulationResult result = Simulation.run(scenario, new Random(3));
    sound(result, scenario);
    double loose = result.functions().stream().limit(10).mapToDouble(FunctionShare::share).sum();
    double tight = result.functions().stream().skip(10).mapToDouble(FunctionShare::share).sum();
    assertThat(loose).isGreaterThan(tight);
  }

  @Test
  void weightsAreLoadedWhereTheyAreCached() {
    DeviceSpec.Cache small = new DeviceSpec.Cache(60L << 30, SECOND);
    Scenario scenario =
        Scenario.of(
            TestScenarios.evenTrace(new Random(7), 20, 400, 1_200),
            TestScenarios.model(),
            TestScenarios.devices(0, 4, 40).stream().map(device -> device.with(small)).toList(),
            Kind.LLM_MESH);
    SimulationResult near = Simulation.run(scenario, new Random(3));
    SimulationResult anywhere =
        Simulation.run(scenario.with(Mechanisms.ALL.without(Mechanism.CACHES)), new Random(3));
    sound(near, scenario);
    assertThat(near.waits().cold()).isLessThan(0.8 * anywhere.waits().cold());
  }

  /// Ten functions that are each called every hundred seconds: their instances are there before.
  @Test
  void whoIsCalledByTheClockFindsAnInstance() {
    List<Trace.NamedCall> calls = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      calls.add(new Trace.NamedCall("f" + i % 10, 10 * i, 100, 20));
    }
    Scenario scenario =
        Scenario.of(
            Trace.of(calls), TestScenarios.model(), TestScenarios.devices(0, 2, 78), Kind.LLM_MESH);
    SimulationResult foreseen = Simulation.run(scenario, new Random(3));
    SimulationResult surprised =
        Simulation.run(scenario.with(Mechanisms.ALL.without(Mechanism.FORESIGHT)), new Random(3));
    sound(foreseen, scenario);
    assertThat(surprised.sloMetStrict()).isLessThan(50);
    assertThat(foreseen.sloMetStrict()).isGreaterThan(140);
    assertThat(foreseen.decisions()).containsKey(Decision.CREATED_AHEAD);
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
  @Property(tries = 1_000)
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
                TestScenarios.trace(random, 16, 120, 100),
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
