package dev.weft.runtime.gpu.memory;

/// Waiting for a thread that uses memory which is about to go.
public final class Threads {
  private Threads() {}

  /// Waits until a thread has ended, whoever interrupts meanwhile; that is remembered.
  public static void join(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
