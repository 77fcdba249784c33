package dev.weft.runtime.backend;

import dev.weft.runtime.sampling.SampleRequest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The rows of one step: for each sequence a run of tokens, a whole prompt, a chunk of one, or the
/// last sampled token.
public record StepBatch(List<Entry> entries) {
  public StepBatch {
    entries = List.copyOf(entries);
  }

  public int rowCount() {
    return entries.stream().mapToInt(entry -> entry.tokens().length).sum();
  }

  /// One sequence's part.
  ///
  /// @param tokens the rows, at positions `position`, `position + 1` ...
  /// @param position tokens of the sequence that the KV cache holds already
  /// @param blocks the sequence's block table: block `i` holds tokens `i * blockTokens` onward;
  ///   long enough for all rows
  /// @param sample how to choose the token after the last row; `null` when the prompt goes on in a
  ///   later step
  /// @param keepLogits whether the result holds the logits of every row (scoring, tests)
  @SuppressWarnings("ArrayRecordComponent")
  public record Entry(
      int[] tokens,
      int position,
      int[] blocks,
      @Nullable SampleRequest sample,
      boolean keepLogits) {
    public Entry {
      if (tokens.length == 0) {
        throw new IllegalArgumentException("an entry has no rows");
      }
    }
  }
}
