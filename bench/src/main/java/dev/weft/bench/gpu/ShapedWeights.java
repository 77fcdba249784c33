package dev.weft.bench.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.bench.models.ModelShape;
import dev.weft.bench.models.ModelShape.TensorShape;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Weights of a shape in bfloat16, without a file: every matrix begins at the same random bytes on
/// the host, and has its own on the device.
final class ShapedWeights implements Weights {
  private final Arena arena = Arena.ofShared();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final MemorySegment random;

  ShapedWeights(ModelShape shape) {
    long most = shape.tensors().stream().mapToLong(TensorShape::elements).max().orElseThrow();
    random = arena.allocate(2 * most, 16);
    for (long i = 0; i < random.byteSize() / 4; i++) {
      // Around a hundredth, of either sign.
      int bits = (int) ((i * 0x9E3779B97F4A7C15L) >>> 32);
      random.setAtIndex(JAVA_INT, i, 0x3c003c00 | (bits & 0x807f807f));
    }
    for (TensorShape tensor : shape.tensors()) {
      tensors.put(tensor.name(), tensor.rows() == 1 ? ones(tensor) : matrix(tensor));
    }
  }

  /// What a backend is told of a shape.
  static DecoderSpec spec(ModelShape shape) {
    return new DecoderSpec(
        shape.architecture(),
        shape.vocabulary(),
        shape.context(),
        shape.layers(),
        shape.hidden(),
        shape.intermediate(),
        shape.heads(),
        shape.kvHeads(),
        shape.headSize(),
        shape.normEpsilon(),
        new DecoderSpec.Rope(shape.theta(), shape.headSize(), false, List.of()),
        DecoderSpec.Activation.SILU,
        shape.qwen2(),
        shape.tied(),
        0);
  }

  private Tensor matrix(TensorShape tensor) {
    return new Tensor(
        tensor.name(),
        DType.BF16,
        Shape.of(tensor.rows(), tensor.columns()),
        random.asSlice(0, 2 * tensor.elements()));
  }

  private Tensor ones(TensorShape tensor) {
    MemorySegment data = arena.allocate(4L * tensor.columns());
    for (int i = 0; i < tensor.columns(); i++) {
      data.setAtIndex(JAVA_FLOAT, i, 1);
    }
    return new Tensor(tensor.name(), DType.F32, Shape.of(tensor.columns()), data);
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
    arena.close();
  }
}
