package dev.weft.bench.gpu;

import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import java.util.List;

/// Where products lie that are measured on a device.
///
/// @param weights of several matrices, so that each is read from memory and not from a cache
/// @param rows of activations
/// @param sums of the runtime's kernels
/// @param others sums of a peer
record ProductMemory(
    DeviceBuffer weights, DeviceBuffer rows, DeviceBuffer sums, DeviceBuffer others)
    implements AutoCloseable {
  private static final int WEIGHT_SEED = 1;
  private static final int ROW_SEED = 2;

  /// Allocates and fills it.
  ///
  /// @param counts of rows that there will be
  static ProductMemory open(
      CudaContext context, long weightBytes, List<LayerProduct> products, List<Integer> counts) {
    int most = counts.stream().mapToInt(Integer::intValue).max().orElseThrow();
    long largest = products.stream().mapToLong(LayerProduct::weightBytes).max().orElseThrow();
    int inputs = products.stream().mapToInt(LayerProduct::inputs).max().orElseThrow();
    long sums =
        products.stream()
            .flatMapToLong(product -> counts.stream().mapToLong(product::sumBytes))
            .max()
            .orElseThrow();
    var memory =
        new ProductMemory(
            new DeviceBuffer(context, Math.max(weightBytes, largest)),
            new DeviceBuffer(context, (long) Short.BYTES * most * inputs),
            new DeviceBuffer(context, sums),
            new DeviceBuffer(context, sums));
    RandomBfloats.fill(context.driver(), memory.weights, WEIGHT_SEED);
    RandomBfloats.fill(context.driver(), memory.rows, ROW_SEED);
    return memory;
  }

  /// Where a product's weights lie when it is submitted for the `index`th time.
  long weights(LayerProduct product, int index) {
    long copies = weights.byteSize() / product.weightBytes();
    return weights.address() + index % copies * product.weightBytes();
  }

  @Override
  public void close() {
    weights.close();
    rows.close();
    sums.close();
    others.close();
  }
}
