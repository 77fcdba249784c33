package dev.weft.runtime.model;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.RandomBlocks;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.SafetensorsWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/// The random tensors of a tiny model by canonical name, in the order and layout of Hugging Face.
final class TinyWeights {
  static final double EMBEDDING_DEVIATION = 0.25;

  private final Random random;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  TinyWeights(long seed) {
    this.random = new Random(seed);
  }

  /// A matrix whose product with a vector of unit spread has about unit spread.
  void matrix(String name, DType type, int rows, int columns) {
    matrix(name, type, rows, columns, 1);
  }

  /// A matrix whose product with a vector of unit spread has about the spread `gain`.
  void matrix(String name, DType type, int rows, int columns, double gain) {
    put(name, type, Shape.of(rows, columns), gain / Math.sqrt(columns));
  }

  /// An embedding that is small beside what the layers add to it, so that a model with tied output
  /// does not just repeat its last token.
  void embedding(String name, DType type, int rows, int columns) {
    put(name, type, Shape.of(rows, columns), EMBEDDING_DEVIATION);
  }

  /// Values around 0, float32.
  void bias(String name, int size) {
    put(name, DType.F32, Shape.of(size), 0.1);
  }

  /// Values around 1, float32.
  void scale(String name, int size) {
    scale(name, size, 1);
  }

  /// Values around `mean`, float32.
  void scale(String name, int size, double mean) {
    ByteBuffer out = ByteBuffer.allocate(4 * size).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < size; i++) {
      out.putFloat((float) (mean * (1 + 0.1 * random.nextGaussian())));
    }
    put(name, DType.F32, Shape.of(size), out.array());
  }

  Map<String, Tensor> all() {
    return tensors;
  }

  /// Adds a tensor to a safetensors file, its blocks dequantised if it has any.
  static void write(SafetensorsWriter writer, String name, Tensor tensor) {
    if (!tensor.dtype().quantized()) {
      byte[] bytes = tensor.data().toArray(ValueLayout.JAVA_BYTE);
      writer.tensor(name, tensor.dtype().name(), tensor.shape(), bytes);
      return;
    }
    float[] values = Dequantizer.all(tensor);
    ByteBuffer out = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    out.asFloatBuffer().put(values);
    writer.tensor(name, "F32", tensor.shape(), out.array());
  }

  private void put(String name, DType type, Shape shape, double deviation) {
    if (shape.rowLength() % type.blockElements() != 0) {
      throw new IllegalArgumentException(
          "%s %s: rows must be a multiple of %d for %s"
              .formatted(name, shape, type.blockElements(), type));
    }
    int elements = Math.toIntExact(shape.elementCount());
    put(name, type, shape, RandomBlocks.bytes(type, elements, deviation, random));
  }

  private void put(String name, DType type, Shape shape, byte[] bytes) {
    tensors.put(name, new Tensor(name, type, shape, MemorySegment.ofArray(bytes)));
  }
}
