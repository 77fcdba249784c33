package dev.weft.platform.management;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.platform.control.FunctionController;
import dev.weft.platform.http.ChangeFeed;
import io.vertx.core.http.HttpServerResponse;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

/// Tells a client of everything that changes, as SSE: the whole status each time, at most five
/// times a second, so that a client that missed one has missed nothing. **thread**: blocks.
@Singleton
public final class StatusStream {
  private static final Duration PAUSE = Duration.ofMillis(200);

  private final FunctionViews views;
  private final FunctionController controller;
  private final ObjectMapper json = Json.mapper();

  public StatusStream(FunctionViews views, FunctionController controller) {
    this.views = views;
    this.controller = controller;
  }

  /// Writes until the client leaves or the platform goes down.
  void write(HttpServerResponse response) throws InterruptedException {
    // Versions alone do not say that requests came to be held, so the text decides.
    AtomicReference<String> last = new AtomicReference<>("");
    ChangeFeed.write(
        response,
        PAUSE,
        () -> {
          String text = text();
          return text.equals(last.getAndSet(text)) ? Optional.empty() : Optional.of(text);
        },
        controller::stopped);
  }

  private String text() {
    try {
      return json.writeValueAsString(views.everything());
    } catch (JsonProcessingException e) {
      throw new AssertionError("the status can be written", e);
    }
  }
}
