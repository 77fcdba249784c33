package dev.weft.runtime.instance;

import java.util.concurrent.CompletableFuture;

/// Counts who uses something, its owner first, and disposes of it after the last.
final class References {
  private final Runnable dispose;
  private final CompletableFuture<Void> gone = new CompletableFuture<>();
  private int count = 1;

  References(Runnable dispose) {
    this.dispose = dispose;
  }

  synchronized void retain() {
    if (count == 0) {
      throw new IllegalStateException("what is gone cannot be used");
    }
    count++;
  }

  void release() {
    synchronized (this) {
      count--;
      if (count > 0) {
        return;
      }
    }
    try {
      dispose.run();
    } finally {
      gone.complete(null);
    }
  }

  /// Completes when it has been disposed of.
  CompletableFuture<Void> gone() {
    return gone;
  }
}
