package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.tensor.DType;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.Stream;

/// Products of bfloat16 weights alone, by the kernels that a decoder's step has and submitted as it
/// submits them: for whoever measures them. **thread**: one at a time, with the context bound.
public final class GpuProducts implements AutoCloseable {
  private final GpuDevice device;
  private final Arena arena = Arena.ofShared();
  private final StepLauncher launcher;
  private final Products products;

  GpuProducts(GpuDevice device) {
    this.device = device;
    launcher = new StepLauncher(device, arena);
    products = new Products(launcher, device.runsWide(), device.multiprocessors());
    device.load(
        Products.units(Stream.of(new GpuMatrix(0, DType.BF16, 1, 1, 0)), device.runsWide()));
  }

  /// Weights on the device.
  ///
  /// @param outputs rows of them
  /// @param gates whether the first half of the outputs are gates of the second
  public record Weights(long address, int outputs, int inputs, boolean gates) {
    private GpuMatrix matrix() {
      return new GpuMatrix(address, DType.BF16, outputs, inputs, 0);
    }
  }

  /// The device that they run on.
  public CudaContext context() {
    return device.context();
  }

  /// What they are submitted to.
  public CudaStream stream() {
    return device.stream();
  }

  /// Sums of each output that [#multiply] leaves to be added, in their order.
  public static int slices(Weights weights, int rows) {
    return weights.gates() ? 1 : InputSlices.kept(weights.outputs(), weights.inputs(), rows);
  }

  /// What is submitted next waits for all that was before.
  public void begin() {
    launcher.begin();
  }

  /// Submits a product.
  ///
  /// @param x where `count` rows of activations lie, in bfloat16
  /// @param to where the sums go: `[slice][row][output]` in float32
  public void multiply(Weights weights, long x, int count, long to) {
    products.multiply(
        new Projection(List.of(weights.matrix())),
        new Products.Rows(0, x, count),
        to,
        !weights.gates());
  }

  /// Submits a product whose gates are activated, as a step does.
  ///
  /// @param to where half as many elements a row go, in bfloat16
  public void multiplyActivated(Weights weights, long x, int count, long to) {
    products.multiplyActivated(weights.matrix(), new Products.Rows(0, x, count), to, false);
  }

  @Override
  public void close() {
    arena.close();
  }
}
