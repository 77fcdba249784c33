package dev.weft.runtime.engine;

import dev.weft.runtime.sampling.SampledToken;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// Remembers what it hears, and objects to anything after the end.
public final class RecordingListener implements GenerationListener {
  private static final int PATIENCE_SECONDS = 60;

  private final StringBuilder text = new StringBuilder();
  private final List<SampledToken> tokens = new ArrayList<>();
  private final List<String> pieces = new ArrayList<>();
  private final CompletableFuture<End> end = new CompletableFuture<>();
  private final CompletableFuture<Void> firstToken = new CompletableFuture<>();
  private List<SampledToken> prompt = List.of();
  private volatile boolean heardAfterEnd;
  private volatile Runnable first = () -> {};

  /// How a generation ended.
  public record End(
      String text,
      List<SampledToken> tokens,
      List<SampledToken> prompt,
      Optional<FinishReason> reason,
      Optional<Usage> usage,
      Optional<GenerationError> error,
      List<String> pieces) {
    public List<Integer> ids() {
      return tokens.stream().map(SampledToken::token).toList();
    }

    public FinishReason finishReason() {
      return reason.orElseThrow(() -> new AssertionError("it failed: " + error));
    }

    public GenerationError.Code code() {
      return error.orElseThrow(() -> new AssertionError("it finished: " + reason)).code();
    }
  }

  @Override
  public synchronized void onPromptScored(List<SampledToken> scored) {
    heardAfterEnd |= end.isDone();
    prompt = List.copyOf(scored);
  }

  @Override
  public synchronized void onTokens(String newText, List<SampledToken> newTokens) {
    heardAfterEnd |= end.isDone();
    text.append(newText);
    pieces.add(newText);
    tokens.addAll(newTokens);
    if (firstToken.complete(null)) {
      first.run();
    }
  }

  @Override
  public void onFinish(FinishReason reason, Usage usage) {
    finish(Optional.of(reason), Optional.of(usage), Optional.empty());
  }

  @Override
  public void onError(GenerationError error) {
    finish(Optional.empty(), Optional.empty(), Optional.of(error));
  }

  private synchronized void finish(
      Optional<FinishReason> reason, Optional<Usage> usage, Optional<GenerationError> error) {
    var heard =
        new End(
            text.toString(),
            List.copyOf(tokens),
            prompt,
            reason,
            usage,
            error,
            List.copyOf(pieces));
    heardAfterEnd |= !end.complete(heard);
  }

  /// Runs something with the first token, on the device's thread.
  public RecordingListener onFirstToken(Runnable action) {
    first = action;
    return this;
  }

  public boolean ended() {
    return end.isDone();
  }

  public boolean heardAfterEnd() {
    return heardAfterEnd;
  }

  public void awaitFirstToken() {
    firstToken.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
  }

  public void awaitFirstTokenOrEnd() {
    CompletableFuture.anyOf(end, firstToken).orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
  }

  /// What happened, once it is over.
  public End await() {
    try {
      return end.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException | ExecutionException | TimeoutException e) {
      throw new AssertionError("the generation did not end", e);
    }
  }
}
