package dev.weft.runtime.engine;

import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.scheduling.StepChoice;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.engine.GenerationListener.Usage;
import java.time.Duration;
import java.util.Optional;

/// Hears of what the engine does, for metrics. Called on the device's thread: implementations count
/// and return. What they throw is logged and goes no further.
public interface EngineObserver {
  EngineObserver NONE = new EngineObserver() {};

  /// An instance gets the next step, and why.
  ///
  /// @param headroom what is left until its next token is due; negative when that is late
  default void onTurn(StepChoice.Reason reason, Duration headroom) {}

  /// A request was to be admitted only if that keeps all promises, and was refused.
  default void onNotAdmitted(RevisionId revision, ShadowValidation.Code code) {}

  /// A step of a decoder has succeeded.
  default void onStep(RevisionId revision, Step step) {}

  /// A step of an encoder has succeeded.
  default void onEmbeddingStep(RevisionId revision, Duration duration, int texts, int tokens) {}

  /// A step has failed; its sequences are tried again one by one.
  default void onStepFailed(RevisionId revision, Throwable cause) {}

  /// A sequence lost its blocks to an older one; what was not saved will be computed again.
  default void onPreempted(RevisionId revision) {}

  /// The prefix cache knew tokens of prompts, and dropped blocks that were needed for others.
  default void onPrefixes(RevisionId revision, long reusedTokens, long evictedBlocks) {}

  /// KV blocks went out of the device's memory, or came back.
  default void onSwapped(RevisionId revision, SwapPlace place, long bytesOut, long bytesIn) {}

  /// A KV block could not be written or read, and is computed again.
  default void onSwapFailed(RevisionId revision) {}

  /// A KV block that somebody will want again was not saved, and is computed again then.
  default void onSwapRefused(RevisionId revision, SwapRefusal reason) {}

  /// The most that an instance may have in the host's memory and on the disk has changed, since
  /// callers got their tokens later than they were promised.
  default void onSwapResized(RevisionId revision, long bytes) {}

  /// A step has checked a draft, of which the first tokens were right.
  default void onDrafted(RevisionId revision, int drafted, int accepted) {}

  /// A generation is over.
  default void onEnded(RevisionId revision, Ended ended) {}

  /// Where saved KV blocks lie.
  enum SwapPlace {
    /// In the host's memory, where the device copies by itself.
    HOST,
    FILE
  }

  /// Why a KV block is not saved.
  enum SwapRefusal {
    /// The space in the host's memory and on the disk is taken.
    FULL,
    /// Callers got tokens later than they were promised, and saved less is what mends that.
    PROMISES,
    /// All buffers wait for the disk.
    BUSY,
    /// The disk is so slow that computing costs less.
    CHEAPER
  }

  /// One step.
  ///
  /// @param decodeRows rows that continue a generation, drafts included
  /// @param prefillRows rows of prompts
  record Step(Duration duration, int sequences, int decodeRows, int prefillRows) {}

  /// One generation, when it is over.
  ///
  /// @param queued from submission to the first step; to the end if there was none
  /// @param timeToFirstToken from submission
  /// @param timePerOutputToken mean over the tokens after the first; absent with fewer than two
  record Ended(
      Outcome outcome,
      Duration queued,
      Optional<Duration> timeToFirstToken,
      Optional<Duration> timePerOutputToken,
      Duration total,
      Usage usage) {}

  /// How a generation ended.
  enum Outcome {
    STOP,
    LENGTH,
    CANCELLED,
    DEADLINE,
    UNLOADED,
    INTERNAL
  }
}
