package dev.weft.bench.gateway;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.bench.Spread;
import dev.weft.bench.Subprocess;
import dev.weft.bench.load.StubbedPlatform;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// The time that it takes to find an instance for a request and to admit it there, by the
/// platform's own classes in one thread of a process of its own.
final class RoutingPart implements GatewayPart {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String MAIN = "dev.weft.platform.control.RoutingCost";
  private static final String P50 = "p50, us";
  private static final String P99 = "p99, us";
  private static final String BOTH = "routing and admission";

  private static final List<Scale> SCALES =
      List.of(new Scale(10, 100, 50, 50_000), new Scale(1_000, 10_000, 1_000, 10_000));

  /// @param requests that are measured, after as many to warm up
  private record Scale(int devices, int functions, double targetMicros, int requests) {
    String label() {
      return "%,d devices, %,d functions".formatted(devices, functions);
    }
  }

  @Override
  public String name() {
    return "routing";
  }

  @Override
  public String title() {
    return "Routing and admission of a request";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "One device publishes before each request, so that no request meets a snapshot that"
            + " another has read; taking its status is shown beside the request's cost, not in it.");
    for (int round = 0; round < setting.rounds(); round++) {
      for (Scale scale : SCALES) {
        measure(setting, scale, recorder);
      }
    }
    for (Scale scale : SCALES) {
      recorder
          .median(scale.label(), P99, BOTH)
          .ifPresent(micros ->
              recorder.find(
                  Finding.atMost(
                      "routing/%d/p99".formatted(scale.devices()),
                      "Routing and admission of a request, %s: p99".formatted(scale.label()),
                      micros,
                      scale.targetMicros(),
                      " us")));
    }
  }

  private static void measure(Setting setting, Scale scale, PartRecorder recorder)
      throws IOException, InterruptedException {
    List<String> command =
        List.of(
            Subprocess.javaCommand(),
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-cp",
            StubbedPlatform.testClassPath(setting.platform()),
            MAIN,
            String.valueOf(scale.devices()),
            String.valueOf(scale.functions()),
            String.valueOf(scale.requests()),
            String.valueOf(scale.requests()));
    Map<String, long[]> nanos =
        JSON.readValue(Subprocess.output(command), new TypeReference<Map<String, long[]>>() {});
    long[] routing = nanos.getOrDefault("routing", new long[0]);
    long[] admission = nanos.getOrDefault("admission", new long[0]);
    record(recorder, scale, "routing", routing);
    record(recorder, scale, "admission", admission);
    record(recorder, scale, BOTH, sums(routing, admission));
    record(
        recorder, scale, "a device's status taken", nanos.getOrDefault("publishing", new long[0]));
  }

  /// Request by request.
  static long[] sums(long[] some, long[] others) {
    if (some.length != others.length) {
      throw new IllegalArgumentException("%d and %d".formatted(some.length, others.length));
    }
    return IntStream.range(0, some.length).mapToLong(i -> some[i] + others[i]).toArray();
  }

  private static void record(PartRecorder recorder, Scale scale, String subject, long[] nanos) {
    double[] micros = Arrays.stream(nanos).mapToDouble(each -> each / 1e3).sorted().toArray();
    recorder.add(scale.label(), P50, 1, subject, Spread.percentile(micros, 0.5));
    recorder.add(scale.label(), P99, 1, subject, Spread.percentile(micros, 0.99));
  }
}
