package dev.weft.bench.live;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.simulation.ModelSpec;
import dev.weft.autoscaler.simulation.Scenario;
import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.bench.models.ModelShape;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// Two devices on which a prompt takes a millisecond a token and a step five a sequence.
class SimulatedTest {
  private final List<LiveFunction> functions = new ArrayList<>();
  private final Simulated simulated;

  SimulatedTest() {
    List<DecodeTime> steps = List.of(new DecodeTime(1, 5), new DecodeTime(64, 320));
    Map<String, PerformanceTable> tables = new HashMap<>();
    Map<String, Long> weightBytes = new HashMap<>();
    for (int i = 0; i < LiveFunction.COUNT; i++) {
      ModelShape shape = LiveFunction.SHAPES.get(i % LiveFunction.SHAPES.size());
      functions.add(new LiveFunction("live-" + i, shape, Path.of("/m")));
      weightBytes.put(shape.name(), 100L << 20);
      tables.put(
          shape.name(),
          new PerformanceTable(
              List.of(new PrefillTime(1, 1), new PrefillTime(256, 256)),
              List.of(new DecodeRow(64, steps), new DecodeRow(512, steps))));
    }
    List<Measured> devices = new ArrayList<>();
    for (String device : List.of("cpu-0", "cpu-1")) {
      devices.add(new Measured(device, tables, weightBytes, 100_000_000, 20_000_000));
    }
    simulated = new Simulated(functions, devices, 2L << 30);
  }

  /// Calls of all functions in turn, so many a second.
  private static Trace calls(int perSecond) {
    List<Trace.Call> calls = new ArrayList<>();
    for (int i = 0; i < 10 * perSecond; i++) {
      calls.add(new Trace.Call(1_000_000_000L * i / perSecond, i % LiveFunction.COUNT, 100, 30));
    }
    return new Trace(functionNames(), calls);
  }

  private static List<String> functionNames() {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < LiveFunction.COUNT; i++) {
      names.add("f" + i);
    }
    return names;
  }

  @Test
  void modelsTakeWhatWasMeasured() {
    ModelSpec model = simulated.scenario(calls(1), Scenario.Kind.LLM_MESH).models().apply(0);

    assertThat(model.weightBytes()).isEqualTo(100L << 20);
    assertThat(model.kvBytesPerToken()).isEqualTo(2L * 2 * 30 * 3 * 64);
    assertThat(model.quota()).as("steps of five milliseconds in twenty").isEqualTo(4);
    assertThat(Objects.requireNonNull(model.kinds().get("cpu-1")).exclusiveConcurrency())
        .as("of which each takes 5.5 ms of 250")
        .isEqualTo(45);
  }

  @Test
  void whatIsEasyIsMetAndSharingHelpsWhereItIsNot() {
    for (Scenario.Kind policy : List.of(Scenario.Kind.LLM_MESH, Scenario.Kind.EXCLUSIVE_SWAP)) {
      List<SimulationResult> easy = simulated.run(calls(1), policy);
      assertThat(easy).hasSize(Simulated.SEEDS);
      assertThat(Figures.simulated(easy).met()).as(policy.name()).isEqualTo(10);
    }
    Trace hard = calls(6);
    assertThat(Figures.simulated(simulated.run(hard, Scenario.Kind.LLM_MESH)).met())
        .isGreaterThan(Figures.simulated(simulated.run(hard, Scenario.Kind.EXCLUSIVE_SWAP)).met());
  }
}
