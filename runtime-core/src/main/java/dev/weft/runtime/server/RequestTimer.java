package dev.weft.runtime.server;

import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.TokenUsage;
import java.time.Duration;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// Measures one inference request and records it once, at its end. Confined to one thread at a
/// time.
final class RequestTimer {
  private final RuntimeMetrics metrics;
  private final String operation;
  private final long startNanos;
  private String function = RuntimeMetrics.UNKNOWN;
  private OptionalLong firstTokenNanos = OptionalLong.empty();
  private boolean ended;

  /// @param operation OpenTelemetry's name: `chat`, `text_completion`, `embeddings`
  RequestTimer(RuntimeMetrics metrics, String operation) {
    this.metrics = metrics;
    this.operation = operation;
    this.startNanos = System.nanoTime();
  }

  /// The request is for a function that exists: from now on it may be a tag.
  void function(String name) {
    function = name;
  }

  /// A token has come.
  void token() {
    if (firstTokenNanos.isEmpty()) {
      firstTokenNanos = OptionalLong.of(System.nanoTime());
    }
  }

  Duration elapsed() {
    return Duration.ofNanos(System.nanoTime() - startNanos);
  }

  /// The request has ended, with an error or without.
  void end(TokenUsage usage, @Nullable ApiError error) {
    if (ended) {
      return;
    }
    ended = true;
    long now = System.nanoTime();
    metrics.record(
        new RuntimeMetrics.Request(
            operation, function, error == null ? "" : String.valueOf(error.code()), usage),
        Duration.ofNanos(now - startNanos),
        firstTokenNanos.isEmpty()
            ? Duration.ZERO
            : Duration.ofNanos(firstTokenNanos.getAsLong() - startNanos));
  }
}
