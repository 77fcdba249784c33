package dev.weft.runtime.engine;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.profile.StepTimes;
import java.util.List;

/// What a decoder has to do and holds at one moment. Two of them are never equal: they stand for
/// their instances.
final class Demand implements InstanceLoad {
  private final StepTimes times;
  private final long tokenNanos;
  private final Sequences sequences;
  private final Kv kv;

  /// The sequences that were taken and have not ended.
  ///
  /// @param neededTokens KV tokens that they hold or are expected to come to hold
  record Sequences(int count, long contextTokens, long neededTokens, List<Prompt> waiting) {
    Sequences {
      waiting = List.copyOf(waiting);
    }
  }

  /// A prompt that waits to be computed, or the rest of one.
  record Prompt(long deadline, int tokens) implements InstanceLoad.Prompt {}

  /// @param plannedTokens tokens for which there is memory
  record Kv(long plannedTokens, long bytesPerToken) {}

  Demand(StepTimes times, long tokenNanos, Sequences sequences, Kv kv) {
    this.times = times;
    this.tokenNanos = tokenNanos;
    this.sequences = sequences;
    this.kv = kv;
  }

  @Override
  public StepTimes times() {
    return times;
  }

  @Override
  public long tokenNanos() {
    return tokenNanos;
  }

  @Override
  public int batch() {
    return sequences.count();
  }

  @Override
  public long contextTokens() {
    return sequences.contextTokens();
  }

  @Override
  public long neededTokens() {
    return sequences.neededTokens();
  }

  @Override
  public long plannedTokens() {
    return kv.plannedTokens();
  }

  @Override
  public long bytesPerToken() {
    return kv.bytesPerToken();
  }

  @Override
  public long unplannedBytes() {
    return 0;
  }

  @Override
  public List<? extends InstanceLoad.Prompt> prompts() {
    return sequences.waiting();
  }

  @Override
  public long readyAt() {
    return Long.MIN_VALUE;
  }
}
