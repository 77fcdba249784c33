package dev.weft.runtime.backend;

import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampledToken;
import java.util.ArrayList;
import java.util.List;

/// The rows of one step: for each sequence a run of tokens, a whole prompt, a chunk of one, or the
/// last sampled token.
public record StepBatch(List<Entry> entries) {
  public StepBatch {
    entries = List.copyOf(entries);
  }

  public int rowCount() {
    return entries.stream().mapToInt(entry -> entry.tokens().length).sum();
  }

  /// Whether a row's token is one that the step before chooses ([Entry#chosenBy]).
  public boolean follows() {
    return entries.stream().anyMatch(entry -> entry.tokens()[0] < 0);
  }

  /// Entries whose tokens rows of the next step may name ([Entry#chosenBy]): all or none.
  public int followed() {
    boolean each =
        entries.stream().allMatch(entry -> entry.samples().size() == 1 && !entry.keepLogits());
    return each ? entries.size() : 0;
  }

  /// One sequence's part.
  ///
  /// @param tokens the rows, at positions `position`, `position + 1` ...; a single one may be what
  ///   the step before chooses ([#chosenBy])
  /// @param position tokens of the sequence that the KV cache holds already
  /// @param blocks the sequence's block table: block `i` holds tokens `i * blockTokens` onward;
  ///   long enough for all rows
  /// @param samples how to choose the tokens after the last rows, one a row: none when the prompt
  ///   goes on in a later step, one where a token is wanted, more where rows are a guess of what
  ///   follows (see [#sample])
  /// @param keepLogits whether the result holds the logits of every row (scoring, tests)
  /// @param adapter the handle of the adapter to run with ([DecoderExecutable#addAdapter]), or
  ///   [#NO_ADAPTER]; the same one for all of a sequence's life, since keys and values depend on it
  @SuppressWarnings("ArrayRecordComponent")
  public record Entry(
      int[] tokens,
      int position,
      int[] blocks,
      List<SampleRequest> samples,
      boolean keepLogits,
      int adapter) {
    /// The model as it is.
    public static final int NO_ADAPTER = 0;

    public Entry {
      if (tokens.length == 0) {
        throw new IllegalArgumentException("an entry has no rows");
      }
      samples = List.copyOf(samples);
      if (samples.size() > tokens.length) {
        throw new IllegalArgumentException(
            "%d tokens asked for after %d rows".formatted(samples.size(), tokens.length));
      }
    }

    /// Stands for the token that an entry of the step before chooses, in a batch that may be
    /// submitted before that step has been awaited ([DecoderExecutable#runsAhead]).
    ///
    /// @param index of the entry; it and all beside it have one token each to choose, and keep no
    ///   logits
    public static int chosenBy(int index) {
      return ~index;
    }

    /// Rows at the end of the entry whose logits are needed.
    public int logitRows() {
      return keepLogits ? tokens.length : samples.size();
    }

    /// Chooses the tokens after the last rows in order, and stops behind the first one that is not
    /// the token of the next row: from there on the rows are not what the sequence says. So every
    /// token is the one that steps of one row would have given, and no other is chosen.
    public List<SampledToken> sample(RowSampler sampler) {
      var sampled = new ArrayList<SampledToken>(samples.size());
      int first = tokens.length - samples.size();
      for (int i = 0; i < samples.size(); i++) {
        int row = first + i;
        SampledToken token = sampler.sample(row, samples.get(i));
        sampled.add(token);
        if (row + 1 < tokens.length && token.token() != tokens[row + 1]) {
          break;
        }
      }
      return sampled;
    }

    /// Throws [IllegalArgumentException] when running this entry would read or write outside of a
    /// model's vocabulary, context or KV cache. Every backend asks before it touches memory.
    public void requireWithin(Bounds bounds) {
      int end = position + tokens.length;
      if (position < 0 || end > bounds.contextLength()) {
        throw new IllegalArgumentException(
            "positions %d to %d are outside the context of %d"
                .formatted(position, end, bounds.contextLength()));
      }
      if (blocks.length < bounds.kvLayout().blocksFor(end)) {
        throw new IllegalArgumentException(
            "%d blocks do not hold %d tokens".formatted(blocks.length, end));
      }
      int least = tokens.length == 1 ? -bounds.followed() : 0;
      for (int token : tokens) {
        if (token < least || token >= bounds.vocabularySize()) {
          throw new IllegalArgumentException(
              "token %d is outside the vocabulary of %d".formatted(token, bounds.vocabularySize()));
        }
      }
      KvLayout.requireWithin(blocks, bounds.blockCount());
    }
  }

  /// Chooses the token after a row.
  @FunctionalInterface
  public interface RowSampler {
    /// @param row index of the row within its entry
    SampledToken sample(int row, SampleRequest request);
  }

  /// What a compiled decoder has room for.
  ///
  /// @param followed entries of the step before whose tokens a batch may name
  public record Bounds(
      int contextLength, int vocabularySize, int blockCount, KvLayout kvLayout, int followed) {
    /// Those of a batch that follows no step.
    public Bounds(int contextLength, int vocabularySize, int blockCount, KvLayout kvLayout) {
      this(contextLength, vocabularySize, blockCount, kvLayout, 0);
    }
  }
}
