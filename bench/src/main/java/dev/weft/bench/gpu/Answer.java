package dev.weft.bench.gpu;

import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.GenerationListener;
import dev.weft.runtime.sampling.SampledToken;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// What comes of one request.
final class Answer implements GenerationListener {
  private final CompletableFuture<Long> first = new CompletableFuture<>();
  private final CompletableFuture<Usage> end = new CompletableFuture<>();
  private volatile Submission.@Nullable Admitted request;

  /// Says what it is of.
  Answer of(Submission.Admitted admitted) {
    request = admitted;
    return this;
  }

  void cancel() {
    Submission.Admitted known = request;
    if (known != null) {
      known.cancel();
    }
  }

  /// Returns once it has ended, in whatever way.
  void awaitEnd(Duration limit) throws InterruptedException {
    await(end.handle((_, _) -> true), limit, "no end");
  }

  @Override
  public void onTokens(String text, List<SampledToken> tokens) {
    first.complete(System.nanoTime());
  }

  @Override
  public void onFinish(FinishReason reason, Usage usage) {
    end.complete(usage);
  }

  @Override
  public void onError(GenerationError error) {
    var failure = new IllegalStateException("%s: %s".formatted(error.code(), error.message()));
    first.completeExceptionally(failure);
    end.completeExceptionally(failure);
  }

  /// When the first token came.
  long firstNanos(Duration limit) throws InterruptedException {
    return await(first, limit, "no first token");
  }

  Usage usage(Duration limit) throws InterruptedException {
    return await(end, limit, "no end");
  }

  private static <T> T await(CompletableFuture<T> future, Duration limit, String what)
      throws InterruptedException {
    try {
      return future.get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } catch (TimeoutException e) {
      throw new IllegalStateException("%s within %s".formatted(what, limit), e);
    }
  }
}
