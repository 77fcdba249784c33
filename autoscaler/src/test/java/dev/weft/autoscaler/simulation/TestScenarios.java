package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.profile.RefinedProfile.Margin;
import dev.weft.autoscaler.simulation.Trace.NamedCall;
import dev.weft.functions.DeviceClass;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;

/// Small devices and random traces.
final class TestScenarios {
  private static final long GIB = 1L << 30;
  private static final long MILLI = 1_000_000;

  private TestScenarios() {}

  /// A model of 10 GiB, with times like those of seven thousand million weights.
  static ModelSpec model() {
    return new ModelSpec(
        "test",
        10 * GIB,
        512 * 1_024,
        2,
        Map.of(
            "cpu", new ModelSpec.OnKind(table(5), 8, 4),
            "gpu", new ModelSpec.OnKind(table(1), 32, 12)));
  }

  private static PerformanceTable table(double slower) {
    return new PerformanceTable(
        List.of(
            new PrefillTime(128, 25 * slower),
            new PrefillTime(512, 50 * slower),
            new PrefillTime(4_096, 340 * slower)),
        List.of(
            new DecodeRow(
                512, List.of(new DecodeTime(1, 14 * slower), new DecodeTime(64, 39 * slower))),
            new DecodeRow(
                4_096, List.of(new DecodeTime(1, 15 * slower), new DecodeTime(24, 49 * slower)))));
  }

  static List<DeviceSpec> devices(int cpus, int gpus, long gib) {
    List<DeviceSpec> devices = new ArrayList<>();
    for (int i = 0; i < cpus + gpus; i++) {
      boolean cpu = i < cpus;
      devices.add(
          new DeviceSpec(
              (cpu ? "cpu-" : "gpu-") + i,
              cpu ? "cpu" : "gpu",
              cpu ? DeviceClass.CPU : DeviceClass.GPU,
              gib * GIB,
              GIB,
              true,
              200 * MILLI,
              80 * MILLI,
              20 * MILLI,
              300 * MILLI,
              new Margin(1.05, 1.05),
              1,
              DeviceSpec.Cache.ALL));
    }
    return devices;
  }

  /// Calls at random times, of all functions alike.
  static Trace evenTrace(RandomGenerator random, int functions, int calls, double seconds) {
    List<NamedCall> named = new ArrayList<>();
    for (int i = 0; i < calls; i++) {
      named.add(
          new NamedCall(
              "f" + i % functions,
              seconds * random.nextDouble(),
              1 + random.nextInt(2_000),
              1 + random.nextInt(300)));
    }
    return Trace.of(named);
  }

  /// Calls at random times; the first functions are called more.
  static Trace trace(RandomGenerator random, int functions, int calls, double seconds) {
    List<NamedCall> named = new ArrayList<>();
    for (int i = 0; i < calls; i++) {
      double skew = random.nextDouble();
      named.add(
          new NamedCall(
              "f" + (int) (functions * skew * skew),
              seconds * random.nextDouble(),
              1 + random.nextInt(2_000),
              1 + random.nextInt(300)));
    }
    return Trace.of(named);
  }
}
