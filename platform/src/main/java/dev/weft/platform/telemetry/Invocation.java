package dev.weft.platform.telemetry;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// A finished request of a function: what it was and how it went, not what was said.
///
/// @param operation `chat`, `text_completion` or `embeddings`
/// @param status the HTTP status; 499 when the client left first
/// @param held time spent waiting for an instance
/// @param ttft time from arrival to the first token; `null` when there was none
/// @param keyId the key that called
public record Invocation(
    String requestId,
    FunctionName function,
    @Nullable RevisionId revision,
    @Nullable DeviceId device,
    String operation,
    int status,
    @Nullable String errorCode,
    @Nullable String keyId,
    WorkflowPlace workflow,
    Instant startedAt,
    Duration held,
    @Nullable Duration ttft,
    Duration duration,
    @Nullable Tokens tokens) {
  /// The status recorded when the client closed the connection before the answer was complete.
  public static final int CLIENT_LEFT = 499;

  /// Where in a workflow an invocation stands, as its headers said.
  public record WorkflowPlace(
      @Nullable String workflow, @Nullable String stage, @Nullable String parent) {
    public static final WorkflowPlace NONE = new WorkflowPlace(null, null, null);
  }

  /// Token counts, as the runtime reported them.
  public record Tokens(long input, long output) {}
}
