package dev.weft.platform.telemetry;

import dev.weft.functions.FunctionName;
import dev.weft.platform.control.Demand;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// The gateway's meters, by the names and buckets of OpenTelemetry's conventions for generative AI
/// where they have one. Functions are tags, callers and requests are not.
@Singleton
public final class GatewayMetrics {
  private static final Duration[] REQUEST_BUCKETS =
      seconds(.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92);
  private static final Duration[] TTFT_BUCKETS =
      seconds(.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10);
  private static final Duration[] TPOT_BUCKETS =
      seconds(.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5);
  private static final double[] TOKEN_BUCKETS = {
    1,
    4,
    16,
    64,
    256,
    1_024,
    4_096,
    16_384,
    65_536,
    262_144,
    1_048_576,
    4_194_304,
    16_777_216,
    67_108_864
  };

  private final MeterRegistry registry;
  private final AtomicInteger active = new AtomicInteger();

  /// Found once: to ask the registry costs more than to record.
  private final Map<Subject, Timer> timers = new ConcurrentHashMap<>();

  private final Map<Subject, DistributionSummary> summaries = new ConcurrentHashMap<>();
  private final Counter retries;
  private final Counter resumptions;

  public GatewayMetrics(MeterRegistry registry, Demand demand) {
    this.registry = registry;
    Gauge.builder("weft.gateway.held", demand, Demand::total)
        .description("Requests held until an instance is ready")
        .register(registry);
    Gauge.builder("weft.gateway.requests.active", active, AtomicInteger::get)
        .description("Requests that have come and are not answered to the end")
        .register(registry);
    this.retries =
        Counter.builder("weft.gateway.retries")
            .description(
                "Requests given to another instance, or again, after a runtime failed them")
            .register(registry);
    this.resumptions =
        Counter.builder("weft.gateway.resumptions")
            .description("Streams given to another instance, or again, after they broke")
            .register(registry);
  }

  /// A stream that broke goes to an instance that is to go on with it.
  public void resume() {
    resumptions.increment();
  }

  /// A device would not have been in time with a request.
  public void refuse(String code) {
    Counter.builder("weft.gateway.refusals")
        .description("Requests that a device refused since they would not have been in time")
        .tag("reason", code)
        .register(registry)
        .increment();
  }

  /// A request of a function has come.
  public void begin() {
    active.incrementAndGet();
  }

  /// Requests that have come and are not answered to the end.
  public int activeRequests() {
    return active.get();
  }

  /// A request goes to an instance once more.
  public void retry() {
    retries.increment();
  }

  /// A request has ended.
  public void record(Invocation invocation) {
    active.decrementAndGet();
    duration(invocation).record(invocation.duration());
    Duration ttft = invocation.ttft();
    Invocation.Tokens tokens = invocation.tokens();
    if (ttft != null) {
      timer("gen_ai.server.time_to_first_token", TTFT_BUCKETS, invocation).record(ttft);
    }
    if (ttft != null && tokens != null && tokens.output() > 1) {
      timer("gen_ai.server.time_per_output_token", TPOT_BUCKETS, invocation)
          .record(invocation.duration().minus(ttft).dividedBy(tokens.output() - 1));
    }
    if (tokens != null) {
      tokens("input", invocation).record((double) tokens.input());
      tokens("output", invocation).record((double) tokens.output());
    }
  }

  /// What tells one meter from another.
  ///
  /// @param detail the value of the tag that this kind of meter has beside the others
  private record Subject(String name, String operation, FunctionName function, String detail) {
    static Subject of(String name, Invocation invocation, String detail) {
      return new Subject(name, invocation.operation(), invocation.function(), detail);
    }

    Tags tags() {
      return Tags.of(
          Tag.of("gen_ai.operation.name", operation),
          Tag.of("gen_ai.provider.name", "weft"),
          Tag.of("gen_ai.request.model", function.value()));
    }
  }

  private Timer duration(Invocation invocation) {
    return timers.computeIfAbsent(
        Subject.of("gen_ai.server.request.duration", invocation, errorType(invocation)),
        subject ->
            register(subject, REQUEST_BUCKETS, subject.tags().and("error.type", subject.detail())));
  }

  private Timer timer(String name, Duration[] buckets, Invocation invocation) {
    return timers.computeIfAbsent(
        Subject.of(name, invocation, ""), subject -> register(subject, buckets, subject.tags()));
  }

  private Timer register(Subject subject, Duration[] buckets, Tags tags) {
    return Timer.builder(subject.name())
        .serviceLevelObjectives(buckets)
        .tags(tags)
        .register(registry);
  }

  private DistributionSummary tokens(String type, Invocation invocation) {
    return summaries.computeIfAbsent(
        Subject.of("gen_ai.client.token.usage", invocation, type),
        subject ->
            DistributionSummary.builder(subject.name())
                .baseUnit("token")
                .serviceLevelObjectives(TOKEN_BUCKETS)
                .tags(subject.tags().and("gen_ai.token.type", subject.detail()))
                .register(registry));
  }

  private static String errorType(Invocation invocation) {
    return invocation.status() < 400 && invocation.errorCode() == null
        ? "none"
        : Integer.toString(invocation.status());
  }

  private static Duration[] seconds(double... values) {
    return Arrays.stream(values)
        .mapToObj(value -> Duration.ofNanos(Math.round(value * 1e9)))
        .toArray(Duration[]::new);
  }
}
