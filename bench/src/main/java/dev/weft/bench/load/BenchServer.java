package dev.weft.bench.load;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// A server process under measurement. Closing it ends the process, and those that it started.
public abstract sealed class BenchServer implements AutoCloseable
    permits LlamaServer, PlatformServer, WeftRuntime {
  private static final Duration START_TIMEOUT = Duration.ofMinutes(3);
  private static final long POLL_MILLIS = 3;

  private final Process process;
  private final Path log;

  BenchServer(List<String> command, Path log) throws IOException {
    this.log = log;
    this.process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
  }

  /// Waits until it answers, with its model loaded; says where to send requests.
  public abstract Target target() throws IOException, InterruptedException;

  public final ProcessHandle process() {
    return process.toHandle();
  }

  /// Something that becomes true while a server starts.
  interface Condition {
    boolean holds() throws IOException, InterruptedException;
  }

  final void await(Condition condition) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
    while (!condition.holds()) {
      if (!process.isAlive() || System.nanoTime() > deadline) {
        throw new IllegalStateException("the server did not start; its log is " + log);
      }
      Thread.sleep(POLL_MILLIS);
    }
  }

  @Override
  public final void close() {
    List<ProcessHandle> started = process.descendants().toList();
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    started.forEach(ProcessHandle::destroyForcibly);
  }
}
