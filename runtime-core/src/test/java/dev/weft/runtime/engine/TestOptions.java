package dev.weft.runtime.engine;

import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.engine.Engine.DecoderOptions;

/// Bounds of decoders in tests, with the usual promises and steps that nobody measures.
final class TestOptions {
  private TestOptions() {}

  static DecoderOptions of(
      int contextLength, int kvBlockCount, int maxBatchTokens, int maxSequences, int maxWaiting) {
    return new DecoderOptions(
        contextLength,
        kvBlockCount,
        maxBatchTokens,
        maxSequences,
        maxWaiting,
        ServiceLevel.DEFAULT,
        StepProfile.none());
  }
}
