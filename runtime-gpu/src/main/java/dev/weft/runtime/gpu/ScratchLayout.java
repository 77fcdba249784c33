package dev.weft.runtime.gpu;

import dev.weft.runtime.model.DecoderSpec;

/// What a step computes in, for so many rows and rows of logits: offsets of its parts in bytes.
///
/// @param splits for how many splits of a row's tokens there is room, where each has a block of its
///   own; 0 where a row's splits are computed by one
record ScratchLayout(DecoderSpec spec, int rows, int logitRows, int splits) {
  /// Tokens of a split: `SPLIT` of `attention.cuh`.
  static final int SPLIT_TOKENS = 256;

  private static final long ALIGNMENT = 256;

  long residual() {
    return 0;
  }

  long normalized() {
    return after(residual(), (long) rows * spec.hiddenSize());
  }

  long queryKeyValue() {
    return after(normalized(), (long) rows * spec.hiddenSize());
  }

  long queries() {
    return after(queryKeyValue(), rows * (spec.queryWidth() + 2L * spec.kvWidth()));
  }

  long attended() {
    return after(queries(), (long) rows * spec.queryWidth());
  }

  long gateUp() {
    return after(attended(), (long) rows * spec.queryWidth());
  }

  long activated() {
    return after(gateUp(), 2L * rows * spec.intermediateSize());
  }

  long turns() {
    return after(activated(), (long) rows * spec.intermediateSize());
  }

  long partials() {
    return after(turns(), (long) rows * spec.rope().dimensions());
  }

  long outputs() {
    long part = spec.headSize() + 2L;
    return after(partials(), (long) rows * spec.headCount() * splits * part);
  }

  long largest() {
    return after(outputs(), (long) rows * spec.hiddenSize());
  }

  /// At the end, so that they may as well lie elsewhere: nothing before depends on how many there
  /// are.
  long logits() {
    return after(largest(), rows);
  }

  long byteSize() {
    return after(logits(), (long) logitRows * spec.vocabularySize());
  }

  private static long after(long offset, long words) {
    return Math.ceilDiv(offset + words * Float.BYTES, ALIGNMENT) * ALIGNMENT;
  }
}
