package dev.weft.platform.control;

import dev.weft.functions.instance.DeviceId;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// A runtime process that listens.
///
/// @param child the process as the one that started it has it; empty where it was adopted
record RunningRuntime(
    DeviceId device, ProcessHandle process, RuntimeAddress address, Optional<Process> child) {
  boolean alive() {
    return process.isAlive();
  }

  /// With which it has ended; only who started it knows.
  OptionalInt exitCode() {
    return child.isPresent() && !child.get().isAlive()
        ? OptionalInt.of(child.get().exitValue())
        : OptionalInt.empty();
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
