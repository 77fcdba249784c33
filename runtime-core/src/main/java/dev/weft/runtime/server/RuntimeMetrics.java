package dev.weft.runtime.server;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.runtime.engine.EngineObserver;
import dev.weft.runtime.instance.InstanceListener;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.server.openai.TokenUsage;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;

/// The runtime's meters: OpenTelemetry's names and buckets where it has them, `weft.*` otherwise.
/// Tags are function names that exist, operations and error codes; never ids or anything that a
/// client makes up.
public final class RuntimeMetrics implements InstanceListener, AutoCloseable {
  /// The function tag of requests for functions that do not exist.
  static final String UNKNOWN = "unknown";

  private static final String OPERATION = "gen_ai.operation.name";
  private static final String MODEL = "gen_ai.request.model";
  private static final String TOKEN_TYPE = "gen_ai.token.type";
  private static final String ERROR = "error.type";
  private static final String FUNCTION = "function";

  private static final Duration[] DURATION_BUCKETS =
      buckets(.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92);
  private static final Duration[] FIRST_TOKEN_BUCKETS =
      buckets(.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10);
  private static final Duration[] PER_TOKEN_BUCKETS =
      buckets(.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5);

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final JvmGcMetrics gc = new JvmGcMetrics();
  private final List<InstanceGauge> instanceGauges;
  private volatile double kvLastsSeconds = Double.POSITIVE_INFINITY;
  private final MultiGauge deviceMemory =
      MultiGauge.builder("weft.device.memory")
          .description(
              "Bytes of the device's memory: all, planned, actual; of these KV and activations")
          .baseUnit("bytes")
          .register(registry);

  /// One request as the meters see it.
  ///
  /// @param error the error's code; empty for success
  record Request(String operation, String function, String error, TokenUsage usage) {}

  private record InstanceGauge(MultiGauge gauge, ToDoubleFunction<InstanceStatus> value) {}

  public RuntimeMetrics() {
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ClassLoaderMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
    new FileDescriptorMetrics().bindTo(registry);
    gc.bindTo(registry);
    Gauge.builder("weft.device.memory.kv.lasts", () -> kvLastsSeconds)
        .description(
            "How long KV memory is expected to last for what runs; infinite when its end is not in sight")
        .baseUnit("seconds")
        .register(registry);
    instanceGauges =
        List.of(
            gauge(
                "weft.instance.kv_cache.usage",
                "Share of the instance's KV blocks that is in use, 0 to 1",
                RuntimeMetrics::kvUsage),
            gauge(
                "weft.instance.requests.running",
                "Sequences in the batch",
                InstanceStatus::runningRequests),
            gauge(
                "weft.instance.requests.waiting",
                "Requests waiting for a place in the batch",
                InstanceStatus::waitingRequests),
            gauge(
                "weft.instance.headroom",
                "Seconds by which its device could come later and still be in time with all of its requests",
                RuntimeMetrics::headroomSeconds),
            gauge(
                "weft.instance.kv_cache.chunks",
                "Chunks of the device's memory that the instance holds",
                instance -> instance.blocks().chunks()),
            gauge(
                "weft.instance.workers",
                "Threads that take small steps, as many as were found to be fastest",
                InstanceStatus::workers),
            gauge(
                "weft.instance.weights", "Bytes of resident weights", InstanceStatus::weightBytes));
  }

  /// What counts the engine's work.
  EngineObserver engine() {
    return new EngineMetrics(registry);
  }

  /// What counts the memory that moves between instances.
  Balloon.Observer memory() {
    return new MemoryMetrics(registry);
  }

  /// Records a request.
  ///
  /// @param firstToken time to the first token; zero when none came
  void record(Request request, Duration took, Duration firstToken) {
    Tags tags = Tags.of(OPERATION, request.operation(), MODEL, request.function());
    timer("gen_ai.server.request.duration", "Duration of a request", DURATION_BUCKETS)
        .tags(tags.and(ERROR, request.error()))
        .register(registry)
        .record(took);
    count(request.function(), "input", request.usage().promptTokens());
    count(request.function(), "output", request.usage().completionTokens());
    if (firstToken.isZero()) {
      return;
    }
    timer(
            "gen_ai.server.time_to_first_token",
            "Time from a request's arrival to its first token",
            FIRST_TOKEN_BUCKETS)
        .tags(tags)
        .register(registry)
        .record(firstToken);
    int following = request.usage().completionTokens() - 1;
    if (following > 0) {
      timer(
              "gen_ai.server.time_per_output_token",
              "Time per token after a request's first",
              PER_TOKEN_BUCKETS)
          .tags(tags)
          .register(registry)
          .record(took.minus(firstToken).dividedBy(following));
    }
  }

  /// Takes over the device's and the instances' figures. Not while they are read: rows of a gauge
  /// are there twice for as long as they are replaced.
  synchronized void update(DeviceStatus status) {
    DeviceStatus.Memory memory = status.memory();
    Long lasts = memory.kvLastsMillis();
    kvLastsSeconds = lasts == null ? Double.POSITIVE_INFINITY : lasts / 1e3;
    deviceMemory.register(
        List.of(
            bytes("capacity", memory.capacityBytes()),
            bytes("planned", memory.plannedBytes()),
            bytes("actual", memory.actualBytes()),
            bytes("kv", memory.chunks().kvBytes()),
            bytes("activations", memory.chunks().activationBytes())),
        true);
    for (InstanceGauge gauge : instanceGauges) {
      gauge
          .gauge()
          .register(
              status.instances().stream()
                  .filter(instance -> !Double.isNaN(gauge.value().applyAsDouble(instance)))
                  .<MultiGauge.Row<?>>map(instance ->
                      MultiGauge.Row.of(
                          Tags.of(
                              FUNCTION,
                              instance.revision().function().value(),
                              "revision",
                              Integer.toString(instance.revision().number())),
                          gauge.value().applyAsDouble(instance)))
                  .toList(),
              true);
    }
  }

  @Override
  public void onLoaded(RevisionId revision, Duration took) {
    timer("weft.instance.load.duration", "Duration of a load that succeeded", DURATION_BUCKETS)
        .tag(FUNCTION, revision.function().value())
        .register(registry)
        .record(took);
  }

  @Override
  public void onLoadFailed(RevisionId revision, String code) {
    counter("weft.instance.load.failures", revision)
        .tag(ERROR, code)
        .register(registry)
        .increment();
  }

  @Override
  public void onEvicted(RevisionId revision) {
    counter("weft.instance.evictions", revision).register(registry).increment();
  }

  /// Keys and values of a stream were sent to the runtime that goes on with it.
  void sentKv(String function, long bytes) {
    Counter.builder("weft.runtime.kv.sent.bytes")
        .description("Keys and values of streams that went on elsewhere")
        .tag(FUNCTION, function)
        .register(registry)
        .increment((double) bytes);
  }

  /// A stream goes on here whose keys and values another runtime kept.
  ///
  /// @param outcome `moved`, `computed` or `known`
  /// @param reason why they did not come, or not all; empty when they did
  void arrivedKv(String function, String outcome, String reason, int tokens, long bytes) {
    Counter.builder("weft.runtime.kv.arrivals")
        .description("Streams that went on here, by what became of their keys and values")
        .tag(FUNCTION, function)
        .tag("outcome", outcome.toLowerCase(Locale.ROOT))
        .tag("reason", reason.toLowerCase(Locale.ROOT))
        .register(registry)
        .increment();
    Counter.builder("weft.runtime.kv.arrived.tokens")
        .description("Tokens whose keys and values came from another runtime")
        .tag(FUNCTION, function)
        .register(registry)
        .increment(tokens);
    Counter.builder("weft.runtime.kv.arrived.bytes")
        .description("Keys and values that came from another runtime")
        .tag(FUNCTION, function)
        .register(registry)
        .increment((double) bytes);
  }

  /// All meters in Prometheus' text format.
  synchronized String scrape() {
    return registry.scrape();
  }

  @Override
  public void close() {
    gc.close();
    registry.close();
  }

  private void count(String function, String type, int tokens) {
    Counter.builder("weft.tokens")
        .description("Tokens of prompts (input) and answers (output)")
        .tags(MODEL, function, TOKEN_TYPE, type)
        .register(registry)
        .increment(tokens);
  }

  private static double kvUsage(InstanceStatus instance) {
    int capacity = instance.blocks().capacity();
    return capacity == 0 ? 0 : (double) instance.blocks().actual() / capacity;
  }

  /// Not a number where there is none: it has no row then.
  private static double headroomSeconds(InstanceStatus instance) {
    Long millis = instance.headroomMillis();
    return millis == null ? Double.NaN : millis / 1e3;
  }

  private InstanceGauge gauge(
      String name, String description, ToDoubleFunction<InstanceStatus> value) {
    return new InstanceGauge(
        MultiGauge.builder(name).description(description).register(registry), value);
  }

  private static MultiGauge.Row<?> bytes(String kind, long bytes) {
    return MultiGauge.Row.of(Tags.of("kind", kind), bytes);
  }

  private static Counter.Builder counter(String name, RevisionId revision) {
    return Counter.builder(name).tag(FUNCTION, revision.function().value());
  }

  private static Timer.Builder timer(String name, String description, Duration[] buckets) {
    return Timer.builder(name).description(description).serviceLevelObjectives(buckets);
  }

  private static Duration[] buckets(double... seconds) {
    return DoubleStream.of(seconds)
        .mapToObj(value -> Duration.ofNanos(Math.round(value * 1e9)))
        .toArray(Duration[]::new);
  }
}
