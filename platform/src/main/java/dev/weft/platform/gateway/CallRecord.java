package dev.weft.platform.gateway;

import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import dev.weft.platform.control.Decisions;
import dev.weft.platform.gateway.routing.Target;
import dev.weft.platform.telemetry.GatewayMetrics;
import dev.weft.platform.telemetry.Invocation;
import dev.weft.platform.telemetry.Invocation.Tokens;
import dev.weft.platform.telemetry.InvocationSink;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// What others get to know of one request: decisions with their reasons, its span, metrics and, at
/// the end, the invocation.
record CallRecord(
    Decisions decisions, GatewayMetrics metrics, InvocationSink journal, GatewayRequest request) {
  void began() {
    metrics.begin();
  }

  void decided(Decisions.Kind kind, @Nullable Target where, Why why) {
    DeviceId device = where == null ? null : where.device();
    decisions.request(request.function().name(), request.requestId(), kind, device, why);
    request.trace().decided(kind, device, why);
  }

  void sent(Target chosen) {
    decided(Decisions.Kind.ROUTED, chosen, chosen.why());
    request.trace().sent(chosen.revision(), chosen.device());
  }

  /// A device said that it cannot be in time.
  void refused(Target chosen, Why why) {
    metrics.refuse(why.code());
    decided(Decisions.Kind.REFUSED, chosen, why);
    request.trace().left(why);
  }

  /// It is sent again.
  ///
  /// @param begun whether a stream goes on
  void again(@Nullable Target left, Why why, boolean begun) {
    decided(Decisions.Kind.MOVED, left, why);
    request.trace().left(why);
    if (begun) {
      metrics.resume();
    } else {
      metrics.retry();
    }
  }

  /// A runtime told how long it had it in its queue and on its device.
  void took(@Nullable String times) {
    request.trace().took(times);
  }

  /// @param last where it was sent last
  /// @param held for an instance
  /// @param firstTokenNanos when it came, by the clock of [GatewayRequest#arrivedNanos]; 0 if none
  ///   did
  record End(
      int status,
      @Nullable String errorCode,
      @Nullable Target last,
      Duration held,
      long firstTokenNanos,
      @Nullable Tokens tokens) {}

  void ended(End end) {
    Target last = end.last();
    Invocation invocation =
        new Invocation(
            request.requestId(),
            request.function().name(),
            last == null ? null : last.revision(),
            last == null ? null : last.device(),
            request.operation().telemetryName(),
            end.status(),
            end.errorCode(),
            request.key().id(),
            request.workflow(),
            request.arrivedAt(),
            end.held(),
            end.firstTokenNanos() == 0
                ? null
                : Duration.ofNanos(end.firstTokenNanos() - request.arrivedNanos()),
            Duration.ofNanos(System.nanoTime() - request.arrivedNanos()),
            end.tokens());
    // First, since a process that goes down waits for requests that the metrics know as running.
    journal.record(invocation);
    metrics.record(invocation);
    request.trace().ended(invocation);
  }
}
