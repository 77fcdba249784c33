package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;
import dev.weft.runtime.gpu.GpuProducts;
import java.util.List;

/// One of the products that a layer of a decoder has.
///
/// @param gates whether half of the outputs are gates of the other half
record LayerProduct(String name, int outputs, int inputs, boolean gates) {
  /// All of a layer, in its order.
  static List<LayerProduct> of(ModelShape shape) {
    int queries = shape.heads() * shape.headSize();
    int keys = shape.kvHeads() * shape.headSize();
    return List.of(
        new LayerProduct("query-key-value", queries + 2 * keys, shape.hidden(), false),
        new LayerProduct("attention output", shape.hidden(), queries, false),
        new LayerProduct("gate-up", 2 * shape.intermediate(), shape.hidden(), true),
        new LayerProduct("down", shape.hidden(), shape.intermediate(), false));
  }

  long weightBytes() {
    return (long) Short.BYTES * outputs * inputs;
  }

  double operations(int rows) {
    return 2.0 * rows * outputs * inputs;
  }

  GpuProducts.Weights at(long address) {
    return new GpuProducts.Weights(address, outputs, inputs, gates);
  }

  /// Bytes of the sums that the runtime leaves.
  long sumBytes(int rows) {
    return (long) Float.BYTES * GpuProducts.slices(at(0), rows) * rows * outputs;
  }
}
