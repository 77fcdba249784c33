package dev.weft.runtime.gpu;

import dev.weft.runtime.model.DecoderSpec;

/// What a step computes in, for so many rows and rows of logits: offsets of its parts in bytes.
///
/// @param singles rows that are attended to one by one
record ScratchLayout(DecoderSpec spec, int rows, int logitRows, AttentionWork.Singles singles) {
  /// Tokens of a unit: `UNIT_TOKENS` of `attention.cuh`.
  static final int UNIT_TOKENS = 64;

  /// Words before the values of a unit: `KEPT_HEADER` of `attention.cuh`.
  private static final int KEPT_HEADER = 4;

  private static final long ALIGNMENT = 256;

  long residual() {
    return 0;
  }

  /// In float32, as far as anything wants it so; also below.
  long normalized() {
    return after(residual(), (long) rows * spec.hiddenSize());
  }

  /// In bfloat16.
  long roundedNormalized() {
    return after(normalized(), (long) rows * spec.hiddenSize());
  }

  long queryKeyValue() {
    return after(roundedNormalized(), halves((long) rows * spec.hiddenSize()));
  }

  int queryKeyValueSlices() {
    return InputSlices.kept(spec.queryWidth() + 2 * spec.kvWidth(), spec.hiddenSize(), rows);
  }

  /// In float16.
  long queries() {
    long row = spec.queryWidth() + 2L * spec.kvWidth();
    return after(queryKeyValue(), rows * row * queryKeyValueSlices());
  }

  long attended() {
    return after(queries(), halves((long) rows * spec.queryWidth()));
  }

  long roundedAttended() {
    return after(attended(), (long) rows * spec.queryWidth());
  }

  /// What attention gave, and later the feed-forward part.
  long added() {
    return after(roundedAttended(), halves((long) rows * spec.queryWidth()));
  }

  int attentionSlices() {
    return InputSlices.kept(spec.hiddenSize(), spec.queryWidth(), rows);
  }

  int feedForwardSlices() {
    return InputSlices.kept(spec.hiddenSize(), spec.intermediateSize(), rows);
  }

  long gateUp() {
    long slices = Math.max(attentionSlices(), feedForwardSlices());
    return after(added(), slices * rows * spec.hiddenSize());
  }

  long activated() {
    return after(gateUp(), 2L * rows * spec.intermediateSize());
  }

  long roundedActivated() {
    return after(activated(), (long) rows * spec.intermediateSize());
  }

  long turns() {
    return after(roundedActivated(), halves((long) rows * spec.intermediateSize()));
  }

  long outputs() {
    return after(turns(), (long) rows * spec.rope().dimensions());
  }

  long roundedOutputs() {
    return after(outputs(), (long) rows * spec.hiddenSize());
  }

  long partials() {
    return after(roundedOutputs(), halves((long) rows * spec.hiddenSize()));
  }

  /// At the end, so that they may as well lie elsewhere.
  long logits() {
    return partials() + partialBytes(spec, singles.atOnce(), singles.units());
  }

  long byteSize() {
    return after(logits(), (long) logitRows * spec.vocabularySize());
  }

  static long partialBytes(DecoderSpec spec, int rows, int units) {
    return after(0, (long) rows * spec.headCount() * units * (KEPT_HEADER + spec.headSize()));
  }

  static long halves(long count) {
    return Math.ceilDiv(count, 2L);
  }

  /// Rows for which memory is asked for where there are so many: a few more, so that a row more
  /// seldom needs more.
  static int roundedRows(int rows, int most) {
    int rounded = Integer.highestOneBit(Math.max(1, rows - 1)) << 1;
    return Math.min(most, Math.max(rows, rounded));
  }

  /// The first place behind so many words.
  static long after(long offset, long words) {
    return Math.ceilDiv(offset + words * Float.BYTES, ALIGNMENT) * ALIGNMENT;
  }
}
