package dev.weft.runtime.engine;

import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.scheduling.StepChoice;
import dev.weft.functions.RevisionId;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An observer whose failures are logged and go no further.
final class ContainedObserver implements EngineObserver {
  private static final Logger log = LoggerFactory.getLogger(ContainedObserver.class);

  private final EngineObserver observer;

  ContainedObserver(EngineObserver observer) {
    this.observer = observer;
  }

  @Override
  public void onTurn(StepChoice.Reason reason, Duration headroom) {
    contain(() -> observer.onTurn(reason, headroom));
  }

  @Override
  public void onNotAdmitted(RevisionId revision, ShadowValidation.Code code) {
    contain(() -> observer.onNotAdmitted(revision, code));
  }

  @Override
  public void onStep(RevisionId revision, Step step) {
    contain(() -> observer.onStep(revision, step));
  }

  @Override
  public void onEmbeddingStep(RevisionId revision, Duration duration, int texts, int tokens) {
    contain(() -> observer.onEmbeddingStep(revision, duration, texts, tokens));
  }

  @Override
  public void onStepFailed(RevisionId revision, Throwable cause) {
    contain(() -> observer.onStepFailed(revision, cause));
  }

  @Override
  public void onPreempted(RevisionId revision) {
    contain(() -> observer.onPreempted(revision));
  }

  @Override
  public void onPrefixes(RevisionId revision, long reusedTokens, long evictedBlocks) {
    contain(() -> observer.onPrefixes(revision, reusedTokens, evictedBlocks));
  }

  @Override
  public void onSwapped(RevisionId revision, SwapPlace place, long bytesOut, long bytesIn) {
    contain(() -> observer.onSwapped(revision, place, bytesOut, bytesIn));
  }

  @Override
  public void onSwapFailed(RevisionId revision) {
    contain(() -> observer.onSwapFailed(revision));
  }

  @Override
  public void onSwapRefused(RevisionId revision, SwapRefusal reason) {
    contain(() -> observer.onSwapRefused(revision, reason));
  }

  @Override
  public void onSwapResized(RevisionId revision, long bytes) {
    contain(() -> observer.onSwapResized(revision, bytes));
  }

  @Override
  public void onDrafted(RevisionId revision, int drafted, int accepted) {
    contain(() -> observer.onDrafted(revision, drafted, accepted));
  }

  @Override
  public void onEnded(RevisionId revision, Ended ended) {
    contain(() -> observer.onEnded(revision, ended));
  }

  private static void contain(Runnable notification) {
    try {
      notification.run();
    } catch (RuntimeException e) {
      log.atWarn().setCause(e).log("an observer of the engine failed");
    }
  }
}
