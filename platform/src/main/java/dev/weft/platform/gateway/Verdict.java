package dev.weft.platform.gateway;

import dev.weft.functions.instance.ControlApi;
import io.vertx.core.buffer.Buffer;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What an answer of a runtime that is no stream means for the request.
enum Verdict {
  /// It would be late there, or make others late.
  NOT_IN_TIME,
  /// The instance is no longer there, or has no room for who cannot try again himself.
  AGAIN,
  /// The runtime does not take the gateway for the gateway.
  SECRET_REFUSED,
  /// It is the answer, good or bad.
  FINAL;

  /// What a runtime says when the gateway's snapshot was behind.
  private static final Set<String> STALE =
      Set.of("model_not_loaded", "model_loading", "model_unloaded", "model_not_found", "draining");

  /// How a runtime ends a stream that may go on elsewhere.
  private static final Set<String> MOVES = Set.of("model_unloaded", "draining");

  /// @param code of the error; `null` when there is none
  /// @param begun whether the client reads a stream of it already
  static Verdict of(int status, @Nullable String code, boolean begun) {
    if (code != null && status == 429 && code.startsWith(ControlApi.NOT_IN_TIME)) {
      return NOT_IN_TIME;
    }
    boolean stale = code != null && (status == 503 || status == 404) && STALE.contains(code);
    // Who reads a stream already cannot try again himself.
    if (stale || (begun && status == 429)) {
      return AGAIN;
    }
    return status == 401 || status == 403 ? SECRET_REFUSED : FINAL;
  }

  /// Whether a stream that ended with this error may go on elsewhere.
  static boolean moves(Buffer errorFrame) {
    return MOVES.contains(ErrorCode.readFrame(errorFrame));
  }
}
