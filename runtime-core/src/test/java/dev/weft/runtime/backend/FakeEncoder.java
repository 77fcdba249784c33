package dev.weft.runtime.backend;

import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// An encoder whose vectors are a hash of the text.
public final class FakeEncoder implements EncoderExecutable {
  private volatile Consumer<List<int[]>> beforeStep = texts -> {};
  private volatile boolean closed;

  /// The vector of a text.
  public static float[] vector(int[] text) {
    return new float[] {text.length, Arrays.hashCode(text)};
  }

  /// Called on the device's thread before each step; may block, or throw to fail the step.
  public FakeEncoder beforeStep(Consumer<List<int[]>> hook) {
    beforeStep = hook;
    return this;
  }

  public boolean closed() {
    return closed;
  }

  @Override
  public List<float[]> forward(List<int[]> texts) {
    if (closed) {
      throw new IllegalStateException("the executable is closed");
    }
    beforeStep.accept(texts);
    return texts.stream().map(FakeEncoder::vector).toList();
  }

  @Override
  public int dimensions() {
    return 2;
  }

  @Override
  public void close() {
    closed = true;
  }
}
