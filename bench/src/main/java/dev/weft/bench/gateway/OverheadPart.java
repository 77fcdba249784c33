package dev.weft.bench.gateway;

import dev.weft.bench.Spread;
import dev.weft.bench.load.Endpoint;
import dev.weft.bench.load.OpenLoop;
import dev.weft.bench.load.Schedule;
import dev.weft.bench.load.StubbedPlatform;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.util.List;

/// What the gateway adds to a request that is answered whole: the same load on the stub and on the
/// gateway before it, by turns.
final class OverheadPart implements GatewayPart {
  private static final List<Integer> RATES = List.of(1_000, 2_000);
  private static final int CONNECTIONS = 64;
  private static final int WARM_UP_SECONDS = 40;
  private static final double P50_TARGET_MILLIS = 0.5;
  private static final double P99_TARGET_MILLIS = 3;
  private static final String STUB = "stub alone";
  private static final String GATEWAY = "through the gateway";
  private static final String ADDED = "added";

  @Override
  public String name() {
    return "overhead";
  }

  @Override
  public String title() {
    return "What the gateway adds to a request";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "Platform, stub and load generator share the machine's processors. Requests are due"
            + " evenly and count from when they are due; what is added is the difference of two"
            + " percentiles of one round. Each was warmed up for %d s.".formatted(WARM_UP_SECONDS));
    try (StubbedPlatform platform =
        StubbedPlatform.start(
            setting.platform(),
            setting.work().resolve("overhead"),
            setting.work().resolve("overhead.log"))) {
      platform.target();
      for (Endpoint endpoint : List.of(platform.stub(), platform.gateway())) {
        load(endpoint, RATES.getLast(), WARM_UP_SECONDS);
      }
      for (int round = 0; round < setting.rounds(); round++) {
        for (int rate : RATES) {
          measure(setting, platform, rate, round, recorder);
        }
      }
    }
    for (int rate : RATES) {
      find(recorder, rate, "p50", P50_TARGET_MILLIS);
      find(recorder, rate, "p99", P99_TARGET_MILLIS);
    }
  }

  /// Who comes first alternates.
  private static void measure(
      Setting setting, StubbedPlatform platform, int rate, int round, PartRecorder recorder)
      throws IOException, InterruptedException {
    OpenLoop.Times gateway =
        round % 2 == 0 ? null : load(platform.gateway(), rate, setting.seconds());
    OpenLoop.Times stub = load(platform.stub(), rate, setting.seconds());
    if (gateway == null) {
      gateway = load(platform.gateway(), rate, setting.seconds());
    }
    record(recorder, rate, "p50", 0.5, stub, gateway);
    record(recorder, rate, "p99", 0.99, stub, gateway);
    String lateness = "sent late, p99, ms";
    recorder.add(label(rate), lateness, 3, STUB, Spread.percentile(stub.lateness(), 0.99));
    recorder.add(label(rate), lateness, 3, GATEWAY, Spread.percentile(gateway.lateness(), 0.99));
  }

  private static OpenLoop.Times load(Endpoint endpoint, int rate, int seconds)
      throws IOException, InterruptedException {
    byte[] request = endpoint.request(StubbedPlatform.chat("words 16", false));
    return OpenLoop.run(
        endpoint.port(), request, Schedule.lasting(rate, seconds), CONNECTIONS, (_, _) -> {});
  }

  private static void record(
      PartRecorder recorder,
      int rate,
      String percentile,
      double fraction,
      OpenLoop.Times stub,
      OpenLoop.Times gateway) {
    double alone = Spread.percentile(stub.latency(), fraction);
    double through = Spread.percentile(gateway.latency(), fraction);
    String quantity = percentile + ", ms";
    recorder.add(label(rate), quantity, 3, STUB, alone);
    recorder.add(label(rate), quantity, 3, GATEWAY, through);
    recorder.add(label(rate), quantity, 3, ADDED, through - alone);
  }

  private static void find(PartRecorder recorder, int rate, String percentile, double target) {
    recorder
        .median(label(rate), percentile + ", ms", ADDED)
        .ifPresent(millis ->
            recorder.find(
                Finding.atMost(
                    "overhead/%d/%s".formatted(rate, percentile),
                    "Added by the gateway at %s: %s".formatted(label(rate), percentile),
                    millis,
                    target,
                    " ms")));
  }

  private static String label(int rate) {
    return "%,d requests/s".formatted(rate);
  }
}
