package dev.weft.bench.live;

import dev.weft.autoscaler.profile.MeasuredProfile;
import dev.weft.autoscaler.profile.RefinedProfile.Margin;
import dev.weft.autoscaler.simulation.DeviceSpec;
import dev.weft.autoscaler.simulation.Mechanisms;
import dev.weft.autoscaler.simulation.ModelSpec;
import dev.weft.autoscaler.simulation.Scenario;
import dev.weft.autoscaler.simulation.Simulation;
import dev.weft.autoscaler.simulation.SimulationResult;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.functions.DeviceClass;
import dev.weft.functions.instance.PerformanceTable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;

/// The same calls on simulated devices that take as long as the real ones were measured to.
final class Simulated {
  /// The noise of step times differs from seed to seed.
  static final int SEEDS = 5;

  /// As runtimes have it.
  private static final Margin MARGIN = new Margin(1.1, 1.1);

  private static final long GRANT_NANOS = 20_000_000;
  private static final int MOST_STEPS = 8;
  private static final int MOST_SEQUENCES = 64;

  private final List<LiveFunction> functions;
  private final List<Measured> devices;
  private final long memoryBytes;

  Simulated(List<LiveFunction> functions, List<Measured> devices, long memoryBytes) {
    this.functions = functions;
    this.devices = devices;
    this.memoryBytes = memoryBytes;
  }

  /// A result for each seed.
  List<SimulationResult> run(Trace calls, Scenario.Kind policy) {
    List<SimulationResult> results = new ArrayList<>();
    for (int seed = 1; seed <= SEEDS; seed++) {
      results.add(Simulation.run(scenario(calls, policy), new SplittableRandom(seed)));
    }
    return results;
  }

  Scenario scenario(Trace calls, Scenario.Kind policy) {
    double context =
        calls.calls().stream()
            .mapToInt(call -> call.promptTokens() + call.answerTokens())
            .average()
            .orElse(1);
    List<ModelSpec> models = functions.stream().map(each -> model(each, context)).toList();
    return new Scenario(
        calls,
        models::get,
        _ -> 0,
        devices.stream().map(this::device).toList(),
        policy,
        Mechanisms.ALL,
        _ -> LiveFunction.PROMISE,
        Scenario.Callers.HANG_UP,
        List.of());
  }

  private ModelSpec model(LiveFunction function, double context) {
    String shape = function.shape().name();
    Map<String, ModelSpec.OnKind> kinds = new HashMap<>();
    for (Measured device : devices) {
      PerformanceTable table = Objects.requireNonNull(device.tables().get(shape));
      int together = together(new MeasuredProfile(table), context);
      kinds.put(device.device(), new ModelSpec.OnKind(table, together, together));
    }
    PerformanceTable first = Objects.requireNonNull(devices.getFirst().tables().get(shape));
    return new ModelSpec(
        shape,
        Objects.requireNonNull(devices.getFirst().weightBytes().get(shape)),
        function.kvBytesPerToken(),
        quota(new MeasuredProfile(first)),
        kinds);
  }

  /// How many sequences of mean length get their tokens as promised on a device of their own.
  private static int together(MeasuredProfile profile, double context) {
    int most = 1;
    while (most < MOST_SEQUENCES
        && profile.decodeNanos(most + 1, (long) ((most + 1) * context)) * MARGIN.decode()
            < LiveFunction.PROMISE.tokenNanos()) {
      most++;
    }
    return most;
  }

  /// Steps of one grant, as runtimes count them.
  private static int quota(MeasuredProfile profile) {
    return Math.clamp(GRANT_NANOS / Math.max(1, profile.decodeNanos(1, 0)), 1, MOST_STEPS);
  }

  private DeviceSpec device(Measured measured) {
    return new DeviceSpec(
        measured.device(),
        measured.device(),
        DeviceClass.CPU,
        memoryBytes,
        0,
        true,
        measured.loadNanos(),
        0,
        0,
        measured.unloadNanos(),
        MARGIN,
        1,
        DeviceSpec.Cache.ALL);
  }
}
