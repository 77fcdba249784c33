package dev.weft.platform.telemetry;

import dev.weft.functions.FunctionName;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.http.ApiError;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanBuilder;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.context.propagation.TextMapPropagator;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.vertx.core.MultiMap;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.net.URI;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/// Spans of requests, for a collector of OpenTelemetry's. They are made where `weft.telemetry`
/// names one, or one of OpenTelemetry's own variables does; else nothing is: no thread, no
/// connection, nothing a request. All that these variables say of exporting and sampling holds.
///
/// A collector that is slow or away costs no request anything: spans wait in a bounded queue, and
/// what does not fit is dropped.
@Singleton
public final class Traces {
  /// Each of them says that traces are wanted.
  private static final Set<String> WANTED =
      Set.of(
          "OTEL_EXPORTER_OTLP_ENDPOINT",
          "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
          "OTEL_TRACES_EXPORTER");

  /// What is meant where nothing is said: the platform has metrics and logs of its own.
  private static final Map<String, String> DEFAULTS =
      Map.of(
          "otel.service.name", "weft",
          "otel.exporter.otlp.protocol", "http/protobuf",
          "otel.metrics.exporter", "none",
          "otel.logs.exporter", "none");

  private static final TextMapGetter<MultiMap> HEADERS =
      new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(MultiMap headers) {
          return headers.names();
        }

        @Override
        public @Nullable String get(@Nullable MultiMap headers, String name) {
          return headers == null ? null : headers.get(name);
        }
      };

  private final @Nullable On on;

  /// What there is only where traces are wanted.
  private record On(OpenTelemetrySdk sdk, Tracer tracer, TextMapPropagator propagator) {}

  @Inject
  public Traces(WeftConfig config) {
    this(config.telemetry().endpoint(), System::getenv);
  }

  Traces(Optional<URI> endpoint, UnaryOperator<@Nullable String> environment) {
    on = wanted(endpoint, environment) ? open(endpoint) : null;
  }

  private static boolean wanted(
      Optional<URI> endpoint, UnaryOperator<@Nullable String> environment) {
    return !"true".equalsIgnoreCase(environment.apply("OTEL_SDK_DISABLED"))
        && !"none".equalsIgnoreCase(environment.apply("OTEL_TRACES_EXPORTER"))
        && (endpoint.isPresent()
            || WANTED.stream().anyMatch(name -> environment.apply(name) != null));
  }

  /// Fails where the variables cannot be followed: traces that nobody gets are no traces.
  private static On open(Optional<URI> endpoint) {
    Map<String, String> named =
        endpoint.map(uri -> Map.of("otel.exporter.otlp.endpoint", uri.toString())).orElse(Map.of());
    OpenTelemetrySdk sdk =
        AutoConfiguredOpenTelemetrySdk.builder()
            .addPropertiesSupplier(() -> DEFAULTS)
            .addPropertiesCustomizer(_ -> named)
            .disableShutdownHook()
            .build()
            .getOpenTelemetrySdk();
    return new On(
        sdk, sdk.getTracer("dev.weft.gateway"), sdk.getPropagators().getTextMapPropagator());
  }

  boolean on() {
    return on != null;
  }

  /// Begins the span of a request, which goes on in the caller's trace if its headers name one.
  ///
  /// @param operation as OpenTelemetry has it: `chat`, `text_completion` or `embeddings`
  public RequestTrace begin(MultiMap headers, String operation, FunctionName function) {
    On there = on;
    if (there == null) {
      return RequestTrace.OFF;
    }
    Span span = builder(there, headers, operation + " " + function).startSpan();
    return new SpanTrace(there.tracer(), there.propagator(), span);
  }

  /// A request was refused before it was known which function it is for, or whether it may.
  public void turnedAway(MultiMap headers, ApiError error) {
    On there = on;
    if (there == null) {
      return;
    }
    Span span = builder(there, headers, "turned_away").startSpan();
    span.setAttribute(SpanTrace.STATUS_CODE, error.status());
    span.setAttribute(SpanTrace.ERROR_TYPE, error.code());
    if (error.status() >= 500) {
      span.setStatus(StatusCode.ERROR, error.message());
    }
    span.end();
  }

  private static SpanBuilder builder(On there, MultiMap headers, String name) {
    return there
        .tracer()
        .spanBuilder(name)
        .setSpanKind(SpanKind.SERVER)
        .setParent(there.propagator().extract(Context.root(), headers, HEADERS));
  }

  /// Sends what is left, for a few seconds at most.
  public void close() {
    if (on != null) {
      on.sdk().close();
    }
  }
}
