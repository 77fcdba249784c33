package dev.weft.runtime.backend;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/// What a decoder's keys and values are, and where they lie in the bytes of a block that
/// [DecoderExecutable#saveBlocks] gives: enough to take single tokens out of a block of one decoder
/// and to put them into a block of another, whatever the sizes and orders of both.
///
/// Outside of blocks a token is one run of [#tokenBytes] bytes, `[layer][keys, values][KV
/// head][scale, where there are scales; elements]`. **thread**: any.
public record KvFormat(
    KvElement element, int layers, int kvHeads, int headSize, Half keys, Half values) {
  public KvFormat {
    if (layers < 1 || kvHeads < 1 || headSize < 1) {
      throw new IllegalArgumentException(
          "%d layers of %d heads of %d".formatted(layers, kvHeads, headSize));
    }
  }

  /// Where keys lie, or values.
  ///
  /// @param elements whose `element` is the distance between two elements of a head
  /// @param scales of no meaning where elements have none
  public record Half(Place elements, Place scales) {
    /// Of elements without scales.
    public Half(Place elements) {
      this(elements, elements);
    }
  }

  /// Where the first of something lies, and how far on the next layer's, head's, token's and
  /// element's is; in bytes.
  public record Place(long first, long layer, long head, long token, long element) {
    private long of(int layerIndex, int headIndex, int tokenIndex) {
      return first + layerIndex * layer + headIndex * head + tokenIndex * token;
    }
  }

  /// Bytes of one token outside of blocks.
  public long tokenBytes() {
    return 2L * layers * kvHeads * headBytes();
  }

  private long headBytes() {
    return element.scaleBytes() + (long) headSize * element.bytes();
  }

  /// Copies a token of a block to `target`.
  public void take(MemorySegment block, int token, MemorySegment target) {
    int each = element.bytes();
    int scaleBytes = element.scaleBytes();
    visit(
        token,
        (scale, first, step, at) -> {
          MemorySegment.copy(block, scale, target, at, scaleBytes);
          copy(block, first, step, target, at + scaleBytes, each);
        });
  }

  /// Copies what [#take] gave, here or with another format of the same shape, to a token of a
  /// block. What lies between tokens stays as it is.
  public void put(MemorySegment source, MemorySegment block, int token) {
    int each = element.bytes();
    int scaleBytes = element.scaleBytes();
    visit(
        token,
        (scale, first, step, at) -> {
          MemorySegment.copy(source, at, block, scale, scaleBytes);
          copy(source, at + scaleBytes, each, block, first, step);
        });
  }

  /// Is told where in a block the keys or values of a head lie, and where in a token.
  private interface HeadVisitor {
    void head(long scale, long first, long step, long at);
  }

  private void visit(int token, HeadVisitor visitor) {
    long at = 0;
    for (int layer = 0; layer < layers; layer++) {
      at = visit(keys, layer, token, at, visitor);
      at = visit(values, layer, token, at, visitor);
    }
  }

  private long visit(Half half, int layer, int token, long from, HeadVisitor visitor) {
    long at = from;
    for (int head = 0; head < kvHeads; head++, at += headBytes()) {
      visitor.head(
          half.scales.of(layer, head, token),
          half.elements.of(layer, head, token),
          half.elements.element,
          at);
    }
    return at;
  }

  /// Copies the elements of a head, which are `fromStep` and `toStep` bytes apart.
  private void copy(
      MemorySegment from, long fromAt, long fromStep, MemorySegment to, long toAt, long toStep) {
    if (fromStep == toStep) {
      MemorySegment.copy(from, fromAt, to, toAt, (long) headSize * element.bytes());
      return;
    }
    for (int i = 0; i < headSize; i++) {
      long source = fromAt + i * fromStep;
      long target = toAt + i * toStep;
      switch (element) {
        case F32 -> to.set(JAVA_INT_UNALIGNED, target, from.get(JAVA_INT_UNALIGNED, source));
        case F16 -> to.set(JAVA_SHORT_UNALIGNED, target, from.get(JAVA_SHORT_UNALIGNED, source));
        case INT8 -> to.set(JAVA_BYTE, target, from.get(JAVA_BYTE, source));
      }
    }
  }
}
