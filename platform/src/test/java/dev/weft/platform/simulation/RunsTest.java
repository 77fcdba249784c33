package dev.weft.platform.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.autoscaler.simulation.DeviceSpec;
import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.autoscaler.simulation.Trace.NamedCall;
import dev.weft.platform.simulation.Runs.Configuration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RunsTest {
  private final Testbed testbed = Testbed.measured();

  private static Trace trace() {
    List<NamedCall> calls = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      calls.add(new NamedCall("f" + i % 4, i, 200, 20));
    }
    return Trace.of(calls);
  }

  private SimulationResult run(int functions, String model, String devices, String policy) {
    return new Runs(trace(), testbed)
        .run(new Configuration(functions, model, devices, policy, List.of(), 1))
        .result();
  }

  @Test
  void modelsRunOnTheDevicesOfTheTestbed() {
    for (String model : List.of("3B", "7B", "8B", "13B")) {
      for (String devices : List.of("cpu=4", "gpu=2")) {
        SimulationResult result = run(0, model, devices, "llm-mesh");
        assertThat(result.requests()).as(model + devices).isEqualTo(40);
        assertThat(result.sloMet() + result.dropped()).as(model + devices).isEqualTo(40);
        assertThat(result.overCommits() + result.unfinished()).isZero();
      }
    }
    assertThat(run(0, "7B", "cpu=4", "llm-mesh").sloMet()).isEqualTo(40);
    assertThat(run(0, "13B", "gpu=2", "llm-mesh").sloMet()).isEqualTo(40);
  }

  /// A prompt is not charged with tokens that are owed to nobody before it.
  @Test
  void aLargeModelIsServedOnAProcessorAlone() {
    List<NamedCall> calls = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      calls.add(new NamedCall("f", 20 * i, 900, 20));
    }
    var configuration = new Configuration(0, "13B", "cpu=1", "llm-mesh", List.of(), 1);
    assertThat(new Runs(Trace.of(calls), testbed).run(configuration).result().sloMet())
        .isEqualTo(10);
  }

  @Test
  void functionsMayHaveDifferentModels() {
    assertThat(run(0, "3B,13B", "gpu=2", "llm-mesh").sloMet()).isPositive();
  }

  @Test
  void callsAreSpreadWhereMoreFunctionsAreAskedFor() {
    assertThat(run(20, "3B", "gpu=2", "llm-mesh").functions()).hasSizeGreaterThan(4);
    assertThat(run(2, "3B", "gpu=2", "exclusive").functions()).hasSize(2);
  }

  @Test
  void devicesMayHaveSmallCachesAndBeSlowerThanTheirProfiles() {
    List<DeviceSpec> devices = testbed.devices("cpu=1,gpu=2@64x1.5");
    assertThat(devices).extracting(DeviceSpec::timeFactor).containsExactly(1.0, 1.5, 1.5);
    assertThat(devices.getLast().cache().bytes()).isEqualTo(64L << 30);
    assertThat(devices.getFirst().cache()).isEqualTo(DeviceSpec.Cache.ALL);
    assertThat(run(0, "7B", "gpu=2x20", "llm-mesh").sloMet())
        .isLessThan(run(0, "7B", "gpu=2", "llm-mesh").sloMet());
  }

  @Test
  void whatDoesNotExistIsRefused() {
    assertThatThrownBy(() -> run(0, "70B", "gpu=1", "llm-mesh"))
        .hasMessageContaining("no model 70B");
    assertThatThrownBy(() -> run(0, "7B", "tpu=1", "llm-mesh")).hasMessageContaining("device tpu");
    assertThatThrownBy(() -> run(0, "7B", "gpu", "llm-mesh")).hasMessageContaining("like gpu=4");
    assertThatThrownBy(() -> run(0, "7B", "gpu=1x", "llm-mesh")).hasMessageContaining("like gpu=4");
    assertThatThrownBy(() -> run(0, "13B", "cpu8=1", "llm-mesh"))
        .hasMessageContaining("no profile for any");
    assertThatThrownBy(() -> run(0, "7B", "gpu=1", "best")).hasMessageContaining("no policy best");
    var without = new Configuration(0, "7B", "gpu=1", "llm-mesh", List.of("magic"), 1);
    assertThatThrownBy(() -> new Runs(trace(), testbed).run(without))
        .hasMessageContaining("no mechanism magic");
  }
}
