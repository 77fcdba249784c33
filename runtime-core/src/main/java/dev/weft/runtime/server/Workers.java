package dev.weft.runtime.server;

import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/// The threads behind the event loops. Tokenising is native code, which would hold a virtual
/// thread's carrier, so it has platform threads of its own; calls that wait are virtual threads.
final class Workers implements AutoCloseable {
  private final ThreadPoolExecutor computing;
  private final ExecutorService blocking;

  Workers(int threads, int maxQueued) {
    computing =
        new ThreadPoolExecutor(
            threads,
            threads,
            30,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(maxQueued),
            Thread.ofPlatform().name("weft-request-", 0).daemon().factory());
    computing.allowCoreThreadTimeOut(true);
    blocking =
        Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("weft-control-", 0).factory());
  }

  /// Runs work that computes; throws [RejectedExecutionException] when the queue is full.
  void compute(Runnable work) {
    computing.execute(work);
  }

  /// Runs work that may block.
  void block(Runnable work) {
    blocking.execute(work);
  }

  @Override
  public void close() {
    computing.shutdown();
    blocking.shutdown();
    try {
      long millis = Duration.ofSeconds(5).toMillis();
      if (!computing.awaitTermination(millis, TimeUnit.MILLISECONDS)
          || !blocking.awaitTermination(millis, TimeUnit.MILLISECONDS)) {
        computing.shutdownNow();
        blocking.shutdownNow();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
