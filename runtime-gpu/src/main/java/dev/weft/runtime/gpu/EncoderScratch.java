package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.TextBatch;
import dev.weft.runtime.model.EncoderSpec;

/// What an encoder's pass computes in: offsets of its parts in bytes.
///
/// @param blocks of [#BLOCK_TOKENS] tokens, of which each text has as many as hold its keys and
///   values
record EncoderScratch(EncoderSpec spec, int rows, int texts, int blocks) {
  /// Tokens of a block.
  static final int BLOCK_TOKENS = 16;

  /// Parts of an embedding that are added to its first.
  private static final int ADDED_EMBEDDINGS = 2;

  static EncoderScratch of(EncoderSpec spec, TextBatch batch) {
    int blocks = 0;
    for (int text = 0; text < batch.textCount(); text++) {
      blocks += blocksFor(batch.length(text));
    }
    return new EncoderScratch(spec, batch.rowCount(), batch.textCount(), blocks);
  }

  static int blocksFor(int tokens) {
    return Math.ceilDiv(tokens, BLOCK_TOKENS);
  }

  /// Blocks that so many rows take at most, of so many texts.
  static int mostBlocks(int rows, int texts) {
    return (rows + texts * (BLOCK_TOKENS - 1)) / BLOCK_TOKENS;
  }

  /// What a pass of so many rows takes, or of a few more, so that a row more seldom needs more.
  static long bytes(EncoderSpec spec, CompileOptions options, int rows) {
    int most = ScratchLayout.roundedRows(rows, TextBatch.mostRows(spec, options));
    // Of fewer rows, more sums may be kept.
    int sliced = Math.min(most, InputSlices.MOST_ROWS);
    return Math.max(
        largest(spec, options, sliced).byteSize(), largest(spec, options, most).byteSize());
  }

  private static EncoderScratch largest(EncoderSpec spec, CompileOptions options, int rows) {
    int texts = Math.min(rows, options.maxSequences());
    return new EncoderScratch(spec, rows, texts, mostBlocks(rows, texts));
  }

  /// In float32: what parts of a layer are added to, and the next part's input.
  long states() {
    return 0;
  }

  /// In bfloat16, as far as anything wants it so; also below.
  long roundedStates() {
    return ScratchLayout.after(states(), (long) rows * spec.hiddenSize());
  }

  long queryKeyValue() {
    return ScratchLayout.after(
        roundedStates(), ScratchLayout.halves((long) rows * spec.hiddenSize()));
  }

  /// In float16.
  long queries() {
    long row = 3L * spec.hiddenSize();
    int slices = InputSlices.kept((int) row, spec.hiddenSize(), rows);
    return ScratchLayout.after(queryKeyValue(), rows * row * slices);
  }

  /// Blocks of `[key, value][head][token][element]` in float16.
  long keysValues() {
    return ScratchLayout.after(queries(), ScratchLayout.halves((long) rows * spec.hiddenSize()));
  }

  long blockBytes() {
    return 2L * BLOCK_TOKENS * spec.hiddenSize() * Short.BYTES;
  }

  long attended() {
    return ScratchLayout.after(keysValues(), blocks * blockBytes() / Float.BYTES);
  }

  long roundedAttended() {
    return ScratchLayout.after(attended(), (long) rows * spec.hiddenSize());
  }

  /// What is added to the states next.
  long added() {
    return ScratchLayout.after(
        roundedAttended(), ScratchLayout.halves((long) rows * spec.hiddenSize()));
  }

  long up() {
    int hidden = spec.hiddenSize();
    int slices =
        Math.max(
            ADDED_EMBEDDINGS,
            Math.max(
                InputSlices.kept(hidden, hidden, rows),
                InputSlices.kept(hidden, spec.intermediateSize(), rows)));
    return ScratchLayout.after(added(), (long) slices * rows * hidden);
  }

  long activated() {
    int slices = InputSlices.kept(spec.intermediateSize(), spec.hiddenSize(), rows);
    return ScratchLayout.after(up(), (long) slices * rows * spec.intermediateSize());
  }

  long roundedActivated() {
    return ScratchLayout.after(activated(), (long) rows * spec.intermediateSize());
  }

  /// One a text, in float32.
  long vectors() {
    return ScratchLayout.after(
        roundedActivated(), ScratchLayout.halves((long) rows * spec.intermediateSize()));
  }

  long byteSize() {
    return ScratchLayout.after(vectors(), (long) texts * spec.hiddenSize());
  }
}
