package dev.weft.runtime.backend;

import dev.weft.runtime.sampling.SampledToken;
import java.util.List;

/// What a step gave, one element an entry of the batch, in order.
public record StepResult(List<Entry> entries) {
  public StepResult {
    entries = List.copyOf(entries);
  }

  /// What one entry gave.
  ///
  /// @param sampled the tokens after its last rows, as [StepBatch.Entry#samples] asked for them, up
  ///   to the first that is not the token of the next row: the rows after that one continue another
  ///   text
  /// @param logits `[rows][vocabulary]` where the entry kept logits, else no rows
  @SuppressWarnings("ArrayRecordComponent")
  public record Entry(List<SampledToken> sampled, float[][] logits) {
    public Entry {
      sampled = List.copyOf(sampled);
    }
  }
}
