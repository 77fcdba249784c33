package dev.weft.platform.telemetry;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import dev.weft.platform.control.Decisions;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.AttributesBuilder;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapPropagator;
import io.opentelemetry.context.propagation.TextMapSetter;
import io.vertx.core.MultiMap;
import java.time.Duration;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// One span for a request, with an event for every decision about it, and below it one for each
/// runtime that was asked, with where the time went there. Names are OpenTelemetry's for generative
/// AI where it has one. Tokens are counted on the request's span alone, so that sums are right.
final class SpanTrace implements RequestTrace {
  static final AttributeKey<Long> STATUS_CODE = AttributeKey.longKey("http.response.status_code");
  static final AttributeKey<String> ERROR_TYPE = AttributeKey.stringKey("error.type");

  private static final AttributeKey<String> DEVICE = AttributeKey.stringKey("weft.device");
  private static final AttributeKey<String> REASON = AttributeKey.stringKey("weft.reason");
  private static final AttributeKey<String> REASON_TEXT =
      AttributeKey.stringKey("weft.reason.text");
  private static final String VALUES = "weft.reason.";
  private static final Pattern TIME = Pattern.compile("(\\w{1,32})=(\\d{1,9}\\.\\d{1,9})");
  private static final TextMapSetter<MultiMap> HEADERS =
      (headers, name, value) -> {
        if (headers != null) {
          headers.set(name, value);
        }
      };

  private final Tracer tracer;
  private final TextMapPropagator propagator;
  private final Span span;
  private @Nullable Span attempt;

  SpanTrace(Tracer tracer, TextMapPropagator propagator, Span span) {
    this.tracer = tracer;
    this.propagator = propagator;
    this.span = span;
  }

  @Override
  public void decided(Decisions.Kind kind, @Nullable DeviceId device, Why why) {
    AttributesBuilder attributes =
        Attributes.builder().put(REASON, why.code()).put(REASON_TEXT, why.text());
    if (device != null) {
      attributes.put(DEVICE, device.value());
    }
    why.values().forEach((name, value) -> attributes.put(VALUES + name, value));
    span.addEvent(kind.name().toLowerCase(Locale.ROOT), attributes.build());
  }

  @Override
  public void sent(RevisionId revision, DeviceId device) {
    attempt =
        tracer
            .spanBuilder("runtime " + device.value())
            .setSpanKind(SpanKind.CLIENT)
            .setParent(Context.root().with(span))
            .setAttribute(DEVICE, device.value())
            .setAttribute("weft.revision", revision.toString())
            .startSpan();
  }

  @Override
  public void tell(MultiMap headers) {
    Span current = attempt == null ? span : attempt;
    propagator.inject(Context.root().with(current), headers, HEADERS);
    headers.set(ControlApi.TIMES_HEADER, "1");
  }

  @Override
  public void took(@Nullable String times) {
    Span current = attempt;
    if (times == null || current == null) {
      return;
    }
    Matcher each = TIME.matcher(times);
    while (each.find()) {
      current.setAttribute(
          "weft." + each.group(1) + ".duration", Double.parseDouble(each.group(2)));
    }
  }

  @Override
  public void left(Why why) {
    Span current = attempt;
    if (current != null) {
      current.setAttribute(ERROR_TYPE, why.code());
      current.setStatus(StatusCode.ERROR, why.text());
      current.end();
      attempt = null;
    }
  }

  @Override
  public void ended(Invocation invocation) {
    String error = invocation.errorCode();
    if (error != null && attempt != null) {
      attempt.setAttribute(ERROR_TYPE, error);
    }
    if (attempt != null) {
      attempt.end();
      attempt = null;
    }
    describe(invocation);
    if (error != null) {
      span.setAttribute(ERROR_TYPE, error);
    }
    if (invocation.status() >= 500) {
      span.setStatus(StatusCode.ERROR);
    }
    span.end();
  }

  private void describe(Invocation invocation) {
    span.setAttribute("gen_ai.operation.name", invocation.operation());
    span.setAttribute("gen_ai.provider.name", "weft");
    span.setAttribute("gen_ai.request.model", invocation.function().value());
    span.setAttribute(STATUS_CODE, invocation.status());
    span.setAttribute("weft.request.id", invocation.requestId());
    span.setAttribute("weft.held.duration", seconds(invocation.held()));
    RevisionId revision = invocation.revision();
    if (revision != null) {
      span.setAttribute("gen_ai.response.model", revision.toString());
    }
    DeviceId device = invocation.device();
    if (device != null) {
      span.setAttribute(DEVICE, device.value());
    }
    Duration ttft = invocation.ttft();
    if (ttft != null) {
      span.setAttribute("weft.time_to_first_token", seconds(ttft));
    }
    Invocation.Tokens tokens = invocation.tokens();
    if (tokens != null) {
      span.setAttribute("gen_ai.usage.input_tokens", tokens.input());
      span.setAttribute("gen_ai.usage.output_tokens", tokens.output());
    }
    // Without a value nothing is set.
    Invocation.WorkflowPlace place = invocation.workflow();
    set("weft.workflow", place.workflow());
    set("weft.stage", place.stage());
    set("weft.parent", place.parent());
  }

  private void set(String name, @Nullable String value) {
    if (value != null) {
      span.setAttribute(name, value);
    }
  }

  private static double seconds(Duration duration) {
    return duration.toNanos() / 1e9;
  }
}
