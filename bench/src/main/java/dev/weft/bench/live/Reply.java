package dev.weft.bench.live;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.autoscaler.simulation.Served;
import dev.weft.bench.load.HttpConnection;
import org.jspecify.annotations.Nullable;

/// What came of a streamed answer so far, frame by frame. One thread reads it, others may ask.
final class Reply implements HttpConnection.Listener {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String DATA = "data:";
  private static final String HELD = ": waiting for an instance";

  private volatile boolean held;
  private volatile long firstAt = Served.NEVER;
  private volatile long lastAt = Served.NEVER;
  private volatile int tokens;
  private volatile @Nullable String error;

  @Override
  public void onLine(String line, long nanos) {
    if (line.startsWith(HELD)) {
      held = true;
    }
    if (!line.startsWith(DATA) || line.endsWith("[DONE]")) {
      return;
    }
    JsonNode frame;
    try {
      frame = JSON.readTree(line.substring(DATA.length()));
    } catch (JsonProcessingException e) {
      error = "no JSON: " + line;
      return;
    }
    if (frame.has("error")) {
      error = frame.get("error").toString();
    }
    tokens = frame.path("usage").path("completion_tokens").asInt(tokens);
    if (!frame.path("choices").isEmpty()) {
      firstAt = firstAt == Served.NEVER ? nanos : firstAt;
      lastAt = nanos;
    }
  }

  /// Whether it waited for an instance.
  boolean held() {
    return held;
  }

  /// When its first frame came, by [System#nanoTime], or [Served#NEVER].
  long firstAt() {
    return firstAt;
  }

  long lastAt() {
    return lastAt;
  }

  /// Tokens of the whole answer, which its end tells.
  int tokens() {
    return tokens;
  }

  @Nullable String error() {
    return error;
  }
}
