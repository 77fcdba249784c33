package dev.weft.runtime.backend;

import java.util.List;

/// A compiled encoder. Only the device's thread calls it.
public interface EncoderExecutable extends AutoCloseable {
  /// One pooled vector a text, in order. A text's vector does not depend on its neighbours in the
  /// batch.
  List<float[]> forward(List<int[]> texts);

  int dimensions();

  @Override
  void close();
}
