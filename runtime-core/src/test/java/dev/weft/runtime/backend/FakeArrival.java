package dev.weft.runtime.backend;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/// Weights that are on their way for as long as the test wants.
public final class FakeArrival implements Arrival {
  private final CompletableFuture<Void> near = new CompletableFuture<>();
  private final CompletableFuture<Void> there = new CompletableFuture<>();

  public void comeNear() {
    near.complete(null);
  }

  public void come() {
    comeNear();
    there.complete(null);
  }

  public void fail(RuntimeException cause) {
    near.completeExceptionally(cause);
    there.completeExceptionally(cause);
  }

  @Override
  public boolean over() {
    return there.isDone();
  }

  @Override
  public void await() {
    join(there);
  }

  @Override
  public void awaitNear(Duration left) {
    join(near);
  }

  private static void join(CompletableFuture<Void> future) {
    try {
      future.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }
}
