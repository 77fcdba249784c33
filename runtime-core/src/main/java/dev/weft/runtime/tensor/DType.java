package dev.weft.runtime.tensor;

/// Element types of model files. Quantised types come in blocks of [#blockElements] along a
/// tensor's last dimension, [#blockBytes] each; layouts as in GGUF (ggml's `block_q4_1` and so on).
public enum DType {
  F32(1, 4),
  F16(1, 2),
  BF16(1, 2),
  Q8_0(32, 34),
  Q4_0(32, 18),
  Q4_1(32, 20),
  Q5_0(32, 22),
  Q5_1(32, 24),
  Q4_K(256, 144),
  Q5_K(256, 176),
  Q6_K(256, 210);

  private final int blockElements;
  private final int blockBytes;

  DType(int blockElements, int blockBytes) {
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
  }

  public int blockElements() {
    return blockElements;
  }

  public int blockBytes() {
    return blockBytes;
  }

  public boolean quantized() {
    return blockElements > 1;
  }

  /// Bytes of `elements` elements, which must fill whole blocks.
  public long byteSize(long elements) {
    if (elements % blockElements != 0) {
      throw new IllegalArgumentException(
          "%d elements do not fill %s blocks".formatted(elements, this));
    }
    return Math.multiplyExact(elements / blockElements, blockBytes);
  }
}
