package dev.weft.runtime.server;

import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.scheduling.StepChoice;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.engine.EngineObserver;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.Locale;

/// Counts the engine's steps: how long they take, how many rows they have, what waits and what is
/// put back.
final class EngineMetrics implements EngineObserver {
  private static final String ROWS = "weft.engine.step.rows";

  private final MeterRegistry registry;

  EngineMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  @Override
  public void onTurn(StepChoice.Reason reason, Duration headroom) {
    registry
        .counter(
            "weft.engine.turns",
            "reason",
            reason.name().toLowerCase(Locale.ROOT),
            "late",
            Boolean.toString(headroom.isNegative()))
        .increment();
  }

  @Override
  public void onNotAdmitted(RevisionId revision, ShadowValidation.Code code) {
    registry
        .counter(
            "weft.engine.not.admitted",
            tags(revision).and("reason", code.name().toLowerCase(Locale.ROOT)))
        .increment();
  }

  @Override
  public void onStep(RevisionId revision, Step step) {
    step(revision, "decoder", step.duration());
    rows(revision, "decode", step.decodeRows());
    rows(revision, "prefill", step.prefillRows());
  }

  @Override
  public void onEmbeddingStep(RevisionId revision, Duration duration, int texts, int tokens) {
    step(revision, "encoder", duration);
    rows(revision, "embedding", tokens);
  }

  @Override
  public void onStepFailed(RevisionId revision, Throwable cause) {
    registry.counter("weft.engine.step.failures", tags(revision)).increment();
  }

  @Override
  public void onPreempted(RevisionId revision) {
    registry.counter("weft.engine.preemptions", tags(revision)).increment();
  }

  @Override
  public void onPrefixes(RevisionId revision, long reusedTokens, long evictedBlocks) {
    count("weft.runtime.prefix.hit.tokens", revision, reusedTokens);
    count("weft.runtime.prefix.evicted.blocks", revision, evictedBlocks);
  }

  @Override
  public void onSwapped(RevisionId revision, SwapPlace place, long bytesOut, long bytesIn) {
    Tags tags = tags(revision).and("place", place.name().toLowerCase(Locale.ROOT));
    registry.counter("weft.runtime.swap.out.bytes", tags).increment((double) bytesOut);
    registry.counter("weft.runtime.swap.in.bytes", tags).increment((double) bytesIn);
  }

  @Override
  public void onSwapFailed(RevisionId revision) {
    count("weft.runtime.swap.failures", revision, 1);
  }

  @Override
  public void onSwapRefused(RevisionId revision, SwapRefusal reason) {
    Tags tags = tags(revision).and("reason", reason.name().toLowerCase(Locale.ROOT));
    registry.counter("weft.runtime.swap.refused.blocks", tags).increment();
  }

  /// Counted each time: a size that goes up and down all the time says that targets are out of
  /// reach.
  @Override
  public void onSwapResized(RevisionId revision, long bytes) {
    count("weft.runtime.swap.resizes", revision, 1);
  }

  @Override
  public void onDrafted(RevisionId revision, int drafted, int accepted) {
    count("weft.runtime.speculation.drafted.tokens", revision, drafted);
    count("weft.runtime.speculation.accepted.tokens", revision, accepted);
  }

  private void count(String name, RevisionId revision, long amount) {
    registry.counter(name, tags(revision)).increment((double) amount);
  }

  @Override
  public void onEnded(RevisionId revision, Ended ended) {
    Timer.builder("weft.engine.queue.time")
        .description("Time from a request's submission to its first step")
        .tags(tags(revision))
        .register(registry)
        .record(ended.queued());
  }

  private void step(RevisionId revision, String kind, Duration duration) {
    Timer.builder("weft.engine.step.duration")
        .description("Duration of one batched pass through a model")
        .tags(tags(revision).and("kind", kind))
        .register(registry)
        .record(duration);
  }

  private void rows(RevisionId revision, String kind, int rows) {
    if (rows > 0) {
      DistributionSummary.builder(ROWS)
          .description("Tokens that one step computes")
          .tags(tags(revision).and("kind", kind))
          .register(registry)
          .record(rows);
    }
  }

  private static Tags tags(RevisionId revision) {
    return Tags.of("function", revision.function().value());
  }
}
