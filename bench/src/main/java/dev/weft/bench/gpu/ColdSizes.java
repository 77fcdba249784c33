package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;
import dev.weft.runtime.gpu.HostMemoryLimit;
import java.util.OptionalLong;

/// How large what [ColdStartPart] measures is.
///
/// @param context of each function
/// @param prompt tokens of a request
/// @param slabBytes of the host's memory for weights
/// @param capacity for a single function; as a runtime takes it where it is not named
/// @param capped of the device's memory, for all functions
/// @param functions that are called by turns
/// @param turns that each has, a round
record ColdSizes(
    ModelShape shape,
    int context,
    int prompt,
    long slabBytes,
    OptionalLong capacity,
    long capped,
    int functions,
    int turns) {
  /// Sets of weights that the host's memory has room for.
  static final int SETS = 3;

  static final ColdSizes LARGE =
      new ColdSizes(
          ModelShape.LLAMA_2_7B,
          4096,
          32,
          HostMemoryLimit.SLAB_BYTES,
          OptionalLong.empty(),
          48L << 30,
          10,
          3);

  /// Slabs of one set: its bytes in bfloat16, and one for what lies between tensors.
  long hostBytes() {
    long elements = shape.tensors().stream().mapToLong(ModelShape.TensorShape::elements).sum();
    return SETS * (Math.ceilDiv(2 * elements, slabBytes) + 1) * slabBytes;
  }
}
