package dev.weft.platform.http;

import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/// Tells a client of what changes, as SSE, and that it is still there while nothing does.
public final class ChangeFeed {
  private static final Duration HEARTBEAT = Duration.ofSeconds(5);

  private ChangeFeed() {}

  /// Writes until the client leaves or `over` says so. **thread**: blocks.
  ///
  /// @param period between two looks for news
  /// @param news what has come since it was asked for last; it is not asked while the client reads
  ///   slowly, who so gets the next state instead of all
  public static void write(
      HttpServerResponse response,
      Duration period,
      Supplier<Optional<String>> news,
      BooleanSupplier over)
      throws InterruptedException {
    Semaphore left = new Semaphore(0);
    response.closeHandler(_ -> left.release());
    response.exceptionHandler(_ -> left.release());
    response
        .setChunked(true)
        .putHeader("Content-Type", "text/event-stream")
        .putHeader("Cache-Control", "no-cache");
    long silentSince = System.nanoTime();
    do {
      if (!response.writeQueueFull()) {
        Optional<String> told = news.get();
        if (told.isPresent()) {
          response.write("data: " + told.get() + "\n\n");
          silentSince = System.nanoTime();
        } else if (System.nanoTime() - silentSince > HEARTBEAT.toNanos()) {
          response.write(": still here\n\n");
          silentSince = System.nanoTime();
        }
      }
      if (over.getAsBoolean()) {
        response.end();
        return;
      }
    } while (!left.tryAcquire(period.toMillis(), TimeUnit.MILLISECONDS));
  }
}
