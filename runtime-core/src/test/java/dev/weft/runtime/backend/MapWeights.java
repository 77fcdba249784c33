package dev.weft.runtime.backend;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;

/// Random float32 weights in memory, that a test can read back as plain arrays.
final class MapWeights implements Weights {
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, float[]> values = new LinkedHashMap<>();
  private final SplittableRandom random;

  MapWeights(long seed) {
    random = new SplittableRandom(seed);
  }

  /// Values around `center`.
  MapWeights add(String name, double center, double spread, long... dimensions) {
    var shape = Shape.of(dimensions);
    float[] data = new float[Math.toIntExact(shape.elementCount())];
    for (int i = 0; i < data.length; i++) {
      data[i] = (float) (center + spread * (2 * random.nextDouble() - 1));
    }
    MemorySegment bytes = MemorySegment.ofArray(new byte[4 * data.length]);
    MemorySegment.copy(data, 0, bytes, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, data.length);
    tensors.put(name, new Tensor(name, DType.F32, shape, bytes));
    values.put(name, data);
    return this;
  }

  MapWeights matrix(String name, int outputs, int inputs) {
    return add(name, 0, Math.sqrt(3.0 / inputs), outputs, inputs);
  }

  MapWeights scale(String name, int width) {
    return add(name, 1, 0.3, width);
  }

  MapWeights bias(String name, int width) {
    return add(name, 0, 0.5, width);
  }

  float[] values(String name) {
    float[] data = values.get(name);
    if (data == null) {
      throw new IllegalArgumentException("no " + name);
    }
    return data;
  }

  boolean has(String name) {
    return values.containsKey(name);
  }

  @Override
  public Optional<Tensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  @Override
  public Set<String> names() {
    return tensors.keySet();
  }

  @Override
  public long byteSize() {
    return tensors.values().stream().mapToLong(tensor -> tensor.data().byteSize()).sum();
  }

  @Override
  public void close() {
    // Arrays need no closing.
  }
}
