package dev.weft.runtime.instance;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Tells one waiter that something has changed since it last looked. Raising is cheap and never
/// waits for the waiter's work.
final class ChangeSignal {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition raised = lock.newCondition();
  private boolean up = true;

  void raise() {
    lock.lock();
    try {
      if (!up) {
        up = true;
        raised.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  /// Waits until the signal is up, or `nanos` have passed, and takes it down.
  void await(long nanos) throws InterruptedException {
    lock.lock();
    try {
      long left = nanos;
      while (!up && left > 0) {
        left = raised.awaitNanos(left);
      }
      up = false;
    } finally {
      lock.unlock();
    }
  }

  static long forever() {
    return TimeUnit.DAYS.toNanos(1);
  }
}
