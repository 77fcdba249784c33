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
  /// @param dueAt when the next token of one that is past its prompt is due; `Long.MAX_VALUE` when
  ///   none is
  record Sequences(
      int count, long contextTokens, long neededTokens, long dueAt, List<Prompt> waiting) {
    Sequences {
      waiting = List.copyOf(waiting);
    }
  }

  /// A prompt that waits to be computed, or the rest of one.
  ///
  /// @param first whether no token of its answer has come yet
  record Prompt(long deadline, int tokens, boolean first) implements InstanceLoad.Prompt {
    @Override
    public boolean lost(long now) {
      return first && deadline < now;
    }
  }

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
  public long tokensDueAt() {
    return sequences.dueAt();
  }

  @Override
  public long readyAt() {
    return Long.MIN_VALUE;
  }
}
