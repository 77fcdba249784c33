package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.cuda.TensorMap;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.tensor.DType;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// Submits products of weights and rows of activations.
final class Products {
  // As in exact.cuh.
  private static final int EXACT_OUTPUTS = 8;
  private static final int EXACT_THREADS = 128;
  private static final int[] EXACT_ROWS = {1, 4, 8};

  /// Gates that lie together in a tile, before what they are gates of.
  private static final int GATES = 8;

  private final StepLauncher launcher;
  private final boolean wide;
  private final int multiprocessors;

  /// @param wide whether to use wide products, which the device has to run
  Products(StepLauncher launcher, boolean wide, int multiprocessors) {
    this.launcher = launcher;
    this.wide = wide;
    this.multiprocessors = multiprocessors;
  }

  /// Where rows of activations lie.
  ///
  /// @param exact in float32, as products with float32 take them
  /// @param rounded in bfloat16, as all others take them
  record Rows(long exact, long rounded, int count) {}

  /// What compiles the kernels for these matrices.
  static Set<KernelUnit> units(Stream<GpuMatrix> matrices, boolean wide) {
    Set<KernelUnit> units = new LinkedHashSet<>();
    matrices.map(matrix -> KernelUnit.weights(matrix.type())).forEach(units::add);
    if (wide && units.contains(KernelUnit.weights(DType.BF16))) {
      units.addAll(KernelUnit.wide());
    }
    return units;
  }

  /// Slices that [#multiply] leaves to be added where they may be sliced.
  static int kept(Projection projection, int rows) {
    return projection.rounded()
        ? InputSlices.kept(projection.outputs(), projection.inputs(), rows)
        : 1;
  }

  /// The product of every row with every output.
  ///
  /// @param to where the first row's sums of the first slice go: of as many slices as [#kept] says,
  ///   as many rows as there are, of all outputs each
  /// @param sliced whether whoever reads it adds slices
  void multiply(Projection projection, Rows rows, long to, boolean sliced) {
    int outputs = projection.outputs();
    long sliceStride = (long) rows.count() * outputs;
    boolean several = sliced && projection.rounded();
    int slices = several ? InputSlices.of(outputs, projection.inputs()) : 1;
    int kept = several ? kept(projection, rows.count()) : 1;
    long at = to;
    for (GpuMatrix matrix : projection.parts()) {
      if (matrix.exact()) {
        exact(matrix, rows, at, outputs, sliceStride, kept);
      } else {
        rounded(matrix, rows, at, 0, outputs, sliceStride, slices, false);
      }
      at += (long) matrix.outputs() * Float.BYTES;
    }
  }

  /// The product of every row with outputs whose first half are gates of the second, activated.
  ///
  /// @param to where half as many elements a row go, in bfloat16
  void multiplyActivated(GpuMatrix gateUp, Rows rows, long to, boolean gelu) {
    rounded(gateUp, rows, 0, to, gateUp.outputs(), 0, 1, gelu);
  }

  private void exact(
      GpuMatrix matrix, Rows rows, long to, int stride, long sliceStride, int slices) {
    LaunchParameters parameters = launcher.parameters().start().struct();
    parameters.addLong(matrix.address()).addLong(matrix.rowBytes()).addLong(matrix.bias());
    parameters.addLong(rows.exact()).addLong(to).addLong(sliceStride).addInt(stride);
    parameters.addInt(matrix.inputs()).addInt(matrix.outputs()).addInt(rows.count());
    parameters.addInt(slices);
    int atOnce = EXACT_ROWS[EXACT_ROWS.length - 1];
    for (int i = EXACT_ROWS.length - 1; i >= 0 && rows.count() <= EXACT_ROWS[i]; i--) {
      atOnce = EXACT_ROWS[i];
    }
    int blocks = Math.ceilDiv(matrix.outputs(), EXACT_OUTPUTS);
    launcher.launch(
        KernelUnit.weights(matrix.type()),
        "product_f32_" + atOnce,
        LaunchGrid.of(blocks, Math.ceilDiv(rows.count(), atOnce), EXACT_THREADS));
  }

  private void rounded(
      GpuMatrix matrix,
      Rows rows,
      long to,
      long activated,
      int stride,
      long sliceStride,
      int slices,
      boolean gelu) {
    LaunchParameters parameters = launcher.parameters().start().struct();
    parameters.addLong(matrix.address()).addLong(matrix.rowBytes()).addLong(matrix.bias());
    parameters.addLong(rows.rounded()).addLong(to).addLong(activated).addLong(sliceStride);
    parameters.addInt(stride).addInt(matrix.inputs()).addInt(matrix.outputs());
    parameters.addInt(rows.count()).addInt(slices).addInt(gelu ? 1 : 0);
    boolean apart = rows.count() <= InputSlices.MOST_ROWS;
    ProductTile tile =
        ProductTile.choose(
            matrix.type(),
            wide,
            new ProductTile.Work(rows.count(), matrix.outputs(), slices, apart),
            multiprocessors);
    if (tile.streamed()) {
      launcher.tensor(weights(matrix, tile, activated != 0));
      launcher.tensor(
          TensorMap.of(
              rows.rounded(),
              rows.count(),
              matrix.inputs(),
              tile.rows() / ProductTile.CLUSTER,
              tile.depth()));
    }
    launcher.launch(
        tile.unit(matrix.type()),
        tile.kernel(matrix.type()),
        tile.grid(rows.count(), matrix.outputs(), apart ? slices : 1, multiprocessors));
  }

  /// Of gates and what they are gates of, a tile has eight of these after eight of those.
  private static TensorMap weights(GpuMatrix matrix, ProductTile tile, boolean gated) {
    if (!gated) {
      return TensorMap.of(
          matrix.address(), matrix.outputs(), matrix.inputs(), tile.outputs(), tile.depth());
    }
    long half = matrix.outputs() / 2;
    long rowBytes = matrix.rowBytes();
    return new TensorMap(
        matrix.address(),
        List.of(
            new TensorMap.Dimension(matrix.inputs(), Short.BYTES, tile.depth()),
            new TensorMap.Dimension(GATES, rowBytes, GATES),
            new TensorMap.Dimension(2, half * rowBytes, 2),
            new TensorMap.Dimension(half / GATES, GATES * rowBytes, tile.outputs() / 2 / GATES)));
  }
}
