package dev.weft.runtime.instance;

import java.util.concurrent.atomic.AtomicBoolean;

/// Keeps an instance loaded while a request uses it. Closing twice is harmless; any thread may.
public final class Lease implements AutoCloseable {
  private final ServingModel model;
  private final Runnable release;
  private final AtomicBoolean closed = new AtomicBoolean();

  Lease(ServingModel model, Runnable release) {
    this.model = model;
    this.release = release;
  }

  public ServingModel model() {
    return model;
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      release.run();
    }
  }
}
