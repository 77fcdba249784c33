package dev.weft.runtime.backend;

import java.util.ArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/// Splits ranges over a few platform threads, the caller's among them. Several callers may use it
/// at once.
final class WorkerTeam implements AutoCloseable {
  private final int threads;
  private final ExecutorService helpers;

  WorkerTeam(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads is not positive: " + threads);
    }
    this.threads = threads;
    helpers =
        Executors.newFixedThreadPool(
            Math.max(1, threads - 1),
            Thread.ofPlatform().name("weft-reference-", 0).daemon().factory());
  }

  /// Work on the indexes from `from` up to `to`.
  @FunctionalInterface
  interface Range {
    void run(int from, int to);
  }

  /// Runs `range` over `0 .. count`, in parts of whole multiples of `grain`, and returns when all
  /// parts have ended. What one part throws is thrown here.
  void run(int count, int grain, Range range) {
    int grains = Math.ceilDiv(count, grain);
    int parts = Math.min(threads, grains);
    if (parts <= 1) {
      range.run(0, count);
      return;
    }
    var others = new ArrayList<Future<?>>(parts - 1);
    for (int part = 1; part < parts; part++) {
      int from = (int) ((long) grains * part / parts) * grain;
      int to = Math.min(count, (int) ((long) grains * (part + 1) / parts) * grain);
      others.add(helpers.submit(() -> range.run(from, to)));
    }
    RuntimeException failure = null;
    try {
      range.run(0, grains / parts * grain);
    } catch (RuntimeException e) {
      failure = e;
    }
    // Every part is awaited, also after a failure: they share the caller's buffers.
    for (var other : others) {
      failure = await(other, failure);
    }
    if (failure != null) {
      throw failure;
    }
  }

  private static @Nullable RuntimeException await(
      Future<?> part, @Nullable RuntimeException failure) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          part.get();
          return failure;
        } catch (InterruptedException e) {
          interrupted = true;
        } catch (ExecutionException e) {
          return failure != null ? failure : new IllegalStateException(e.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Override
  public void close() {
    helpers.shutdown();
  }
}
