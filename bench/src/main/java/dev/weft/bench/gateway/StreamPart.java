package dev.weft.bench.gateway;

import dev.weft.bench.Spread;
import dev.weft.bench.load.Endpoint;
import dev.weft.bench.load.OpenLoop;
import dev.weft.bench.load.Schedule;
import dev.weft.bench.load.StubbedPlatform;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The time from a runtime's writing of a chunk to the client's reading of it. The stub writes the
/// clock into its chunks; on one machine all processes read the same.
final class StreamPart implements GatewayPart {
  private static final List<Integer> RATES = List.of(1_000, 2_000);
  private static final int PAUSE_MILLIS = 50;

  /// In which all streams begin: a pause longer than a multiple of pauses, so that each begins at
  /// another time within one, evenly.
  private static final double SPREAD_SECONDS = 2 + PAUSE_MILLIS / 1e3;

  /// In which they begin so that their chunks come a fifth of them at a time.
  private static final double FIFTHS_SECONDS = 2;

  private static final int WARM_UP_SECONDS = 40;
  private static final int WARM_UP_RATE = 1_000;
  private static final int CONNECTIONS = 64;
  private static final double P99_TARGET_MILLIS = 1;
  private static final Pattern STAMP = Pattern.compile("\"content\":\" ?(\\d+)\"");
  private static final String STUB = "stub alone";
  private static final String GATEWAY = "through the gateway";
  private static final String P50 = "p50, ms";
  private static final String P99 = "p99, ms";
  private static final String P99_OF_FIFTHS = "p99 where a fifth of the chunks come at a time, ms";

  @Override
  public String name() {
    return "stream";
  }

  @Override
  public String title() {
    return "From a runtime's chunk to the client's";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "Streams of one chunk each %d ms; from the making of a chunk in the stub to its line in the"
                .formatted(PAUSE_MILLIS)
            + " load generator, on shared processors. The chunks of all streams are spread evenly"
            + " over time, but where they are said to come a fifth at a time: ten and twenty of"
            + " them, as a runtime's step brings those of its batch.");
    try (StubbedPlatform platform =
        StubbedPlatform.start(
            setting.platform(),
            setting.work().resolve("stream"),
            setting.work().resolve("stream.log"))) {
      platform.target();
      for (Endpoint endpoint : List.of(platform.stub(), platform.gateway())) {
        OpenLoop.run(
            endpoint.port(),
            endpoint.request(StubbedPlatform.chat("words 16", true)),
            Schedule.lasting(WARM_UP_RATE, WARM_UP_SECONDS),
            CONNECTIONS,
            (_, _) -> {});
        delays(endpoint, RATES.getLast(), SPREAD_SECONDS, setting.seconds());
      }
      for (int round = 0; round < setting.rounds(); round++) {
        for (int rate : RATES) {
          measure(recorder, rate, STUB, platform.stub(), setting.seconds());
          measure(recorder, rate, GATEWAY, platform.gateway(), setting.seconds());
        }
      }
    }
    for (int rate : RATES) {
      recorder
          .median(label(rate), P99, GATEWAY)
          .ifPresent(millis ->
              recorder.find(
                  Finding.atMost(
                      "stream/%d/p99".formatted(rate),
                      "From a runtime's chunk to the client's at %s: p99".formatted(label(rate)),
                      millis,
                      P99_TARGET_MILLIS,
                      " ms")));
    }
  }

  private static void measure(
      PartRecorder recorder, int rate, String subject, Endpoint endpoint, int seconds)
      throws IOException, InterruptedException {
    Collection<Double> spread = delays(endpoint, rate, SPREAD_SECONDS, seconds);
    recorder.add(label(rate), P50, 3, subject, Spread.percentileOf(spread, 0.5));
    recorder.add(label(rate), P99, 3, subject, Spread.percentileOf(spread, 0.99));
    Collection<Double> fifths = delays(endpoint, rate, FIFTHS_SECONDS, seconds);
    recorder.add(label(rate), P99_OF_FIFTHS, 3, subject, Spread.percentileOf(fifths, 0.99));
  }

  /// Milliseconds, of every chunk.
  private static Collection<Double> delays(
      Endpoint endpoint, int rate, double beginSeconds, int seconds)
      throws IOException, InterruptedException {
    int streams = rate * PAUSE_MILLIS / 1_000;
    int chunks = seconds * 1_000 / PAUSE_MILLIS;
    byte[] request =
        endpoint.request(
            StubbedPlatform.chat("clock %d every %d".formatted(chunks, PAUSE_MILLIS), true));
    Collection<Double> delays = new ConcurrentLinkedQueue<>();
    OpenLoop.run(
        endpoint.port(),
        request,
        new Schedule(streams / beginSeconds, streams),
        streams,
        (line, nanos) -> stamp(line).ifPresent(written -> delays.add((nanos - written) / 1e6)));
    if (delays.size() != streams * chunks) {
      throw new IOException("%d chunks came of %d".formatted(delays.size(), streams * chunks));
    }
    return delays;
  }

  /// The time in a chunk, if the line is one.
  static OptionalLong stamp(String line) {
    Matcher matcher = STAMP.matcher(line);
    return matcher.find()
        ? OptionalLong.of(Long.parseLong(matcher.group(1)))
        : OptionalLong.empty();
  }

  private static String label(int rate) {
    return "%,d chunks/s".formatted(rate);
  }
}
