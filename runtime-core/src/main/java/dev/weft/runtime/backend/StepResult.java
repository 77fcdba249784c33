package dev.weft.runtime.backend;

import dev.weft.runtime.sampling.SampledToken;
import java.util.List;
import java.util.Optional;

/// What a step gave, one element an entry of the batch, in order.
public record StepResult(List<Entry> entries) {
  public StepResult {
    entries = List.copyOf(entries);
  }

  /// What one entry gave.
  ///
  /// @param sampled present where the entry asked for a token
  /// @param logits `[rows][vocabulary]` where the entry kept logits, else no rows
  @SuppressWarnings("ArrayRecordComponent")
  public record Entry(Optional<SampledToken> sampled, float[][] logits) {
    private static final float[][] NO_LOGITS = {};

    public static Entry of(Optional<SampledToken> sampled) {
      return new Entry(sampled, NO_LOGITS);
    }
  }
}
