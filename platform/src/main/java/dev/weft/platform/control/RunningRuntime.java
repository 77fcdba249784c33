package dev.weft.platform.control;

import dev.weft.functions.instance.DeviceId;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// A runtime process that listens.
record RunningRuntime(DeviceId device, ProcessHandle process, RuntimeAddress address) {
  boolean alive() {
    return process.isAlive();
  }

  /// Waits until the process has ended; false when it has not within `timeout`.
  boolean awaitExit(Duration timeout) throws InterruptedException {
    return awaitExit(process, timeout);
  }

  /// Ends the process: kindly first when `grace` is positive, then for good.
  void end(Duration grace) throws InterruptedException {
    end(process, grace);
  }

  static void end(ProcessHandle process, Duration grace) throws InterruptedException {
    if (grace.isPositive()) {
      process.destroy();
    }
    if (!grace.isPositive() || !awaitExit(process, grace)) {
      process.destroyForcibly();
      awaitExit(process, Duration.ofSeconds(10));
    }
  }

  private static boolean awaitExit(ProcessHandle process, Duration timeout)
      throws InterruptedException {
    CompletableFuture<ProcessHandle> exit = process.onExit();
    try {
      exit.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return !process.isAlive();
    } catch (ExecutionException e) {
      throw new IllegalStateException("waiting for process " + process.pid(), e);
    }
  }
}
