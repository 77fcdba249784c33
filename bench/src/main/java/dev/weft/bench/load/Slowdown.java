package dev.weft.bench.load;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.locks.LockSupport;

/// Has a process run a share of the time only, as one whose processors others take: it is stopped
/// and goes on by turns, until this is closed.
public final class Slowdown implements AutoCloseable {
  public static final int PERIOD_MILLIS = 30;

  private static final int SIGCONT = 18;
  private static final int SIGSTOP = 19;

  @SuppressWarnings("restricted") // a signature that the manual page gives
  private static final MethodHandle KILL =
      Linker.nativeLinker()
          .downcallHandle(
              Linker.nativeLinker().defaultLookup().findOrThrow("kill"),
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

  private final int pid;
  private final long stoppedNanos;
  private final long goingNanos;
  private final Thread thread;
  private volatile boolean closed;

  /// @param factor by which it is slower
  Slowdown(long pid, double factor) {
    this.pid = Math.toIntExact(pid);
    goingNanos = (long) (PERIOD_MILLIS * 1e6 / factor);
    stoppedNanos = (long) (PERIOD_MILLIS * 1e6) - goingNanos;
    thread = Thread.ofPlatform().daemon().name("slowdown").start(this::run);
  }

  private void run() {
    try {
      while (!closed) {
        signal(SIGSTOP);
        LockSupport.parkNanos(stoppedNanos);
        signal(SIGCONT);
        LockSupport.parkNanos(goingNanos);
      }
    } finally {
      signal(SIGCONT);
    }
  }

  private void signal(int number) {
    int failed;
    try {
      failed = (int) KILL.invokeExact(pid, number);
    } catch (Throwable e) {
      throw new IllegalStateException("kill", e);
    }
    if (failed != 0) {
      throw new IllegalStateException("process %d takes no signals".formatted(pid));
    }
  }

  @Override
  public void close() {
    closed = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
