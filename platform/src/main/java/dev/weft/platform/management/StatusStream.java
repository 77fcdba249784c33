package dev.weft.platform.management;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.platform.control.FunctionController;
import io.vertx.core.http.HttpServerResponse;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/// Tells a client of everything that changes, as SSE: the whole status each time, at most five
/// times a second, so that a client that missed one has missed nothing. **thread**: blocks.
@Singleton
public final class StatusStream {
  private static final Duration PAUSE = Duration.ofMillis(200);
  private static final Duration HEARTBEAT = Duration.ofSeconds(5);

  private final FunctionViews views;
  private final FunctionController controller;
  private final ObjectMapper json = Json.mapper();

  public StatusStream(FunctionViews views, FunctionController controller) {
    this.views = views;
    this.controller = controller;
  }

  /// Writes until the client leaves or the platform goes down.
  void write(HttpServerResponse response) throws InterruptedException {
    Semaphore left = new Semaphore(0);
    response.closeHandler(_ -> left.release());
    response.exceptionHandler(_ -> left.release());
    response
        .setChunked(true)
        .putHeader("Content-Type", "text/event-stream")
        .putHeader("Cache-Control", "no-cache");
    String last = "";
    long silentSince = System.nanoTime();
    do {
      // Versions alone do not say that requests came to be held, so the text decides.
      String text = text();
      // A client that reads slowly gets the next status instead of all.
      boolean slow = response.writeQueueFull();
      if (!slow && !text.equals(last)) {
        response.write("data: " + text + "\n\n");
        last = text;
        silentSince = System.nanoTime();
      } else if (!slow && System.nanoTime() - silentSince > HEARTBEAT.toNanos()) {
        response.write(": still here\n\n");
        silentSince = System.nanoTime();
      }
      if (controller.stopped()) {
        response.end();
        return;
      }
    } while (!left.tryAcquire(PAUSE.toMillis(), TimeUnit.MILLISECONDS));
  }

  private String text() {
    try {
      return json.writeValueAsString(views.everything());
    } catch (JsonProcessingException e) {
      throw new AssertionError("the status can be written", e);
    }
  }
}
