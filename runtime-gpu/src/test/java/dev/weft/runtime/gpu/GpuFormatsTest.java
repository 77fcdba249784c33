package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.kernels.KernelCompiler;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.RandomBlocks;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Weights are decoded to the very bits that their formats define, and products of a row are the
/// same bits among any number of others and near the sum in float64.
class GpuFormatsTest {
  private static final int ROWS = 13;
  private static final int WIDTH = 1280;

  @Nested
  class Emulated extends Cases {
    Emulated() {
      super(EmulatedGpu.driver(), _ -> new byte[] {0});
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC")
  class OnTheDevice extends Cases {
    OnTheDevice() {
      super(CudaDriver.open(), RealGpu.kernels());
    }
  }

  abstract static class Cases {
    private final CudaDriver driver;
    private final KernelCompiler compiler;

    Cases(CudaDriver driver, KernelCompiler compiler) {
      this.driver = driver;
      this.compiler = compiler;
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void rowsAreDecodedExactly(DType type) {
      byte[] bytes = RandomBlocks.bytes(type, ROWS * WIDTH, 0.5, new SplittableRandom(5));
      float[] expected = decoded(type, bytes);
      try (var device = new GpuDevice(driver, 0, compiler, _ -> {});
          Arena arena = Arena.ofConfined();
          var table = upload(device, arena, bytes);
          var tokens = new DeviceBuffer(device.context(), ROWS * 4L);
          var out = new DeviceBuffer(device.context(), ROWS * WIDTH * 4L)) {
        MemorySegment order = arena.allocate(JAVA_INT, ROWS);
        for (int i = 0; i < ROWS; i++) {
          order.setAtIndex(JAVA_INT, i, ROWS - 1 - i);
        }
        device.stream().copyToDevice(order, tokens.address());
        var parameters = new LaunchParameters(arena).start().address(table.address());
        parameters.address(type.byteSize(WIDTH)).address(tokens.address()).address(out.address());
        parameters.integer(WIDTH);
        device
            .kernel("embed_" + GpuMatrix.suffix(type))
            .launch(device.stream(), LaunchGrid.of(ROWS, 256), parameters);
        float[] actual = download(device, arena, out, ROWS * WIDTH);
        for (int row = 0; row < ROWS; row++) {
          for (int i = 0; i < WIDTH; i++) {
            assertThat(actual[row * WIDTH + i])
                .as("%s row %d element %d", type, row, i)
                .isEqualTo(expected[(ROWS - 1 - row) * WIDTH + i]);
          }
        }
      }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void productsOfARowDoNotDependOnTheOthers(DType type) {
      byte[] bytes = RandomBlocks.bytes(type, ROWS * WIDTH, 0.5, new SplittableRandom(6));
      float[] weights = decoded(type, bytes);
      int most = 11;
      float[] x = new float[most * WIDTH];
      var random = new SplittableRandom(7);
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) random.nextDouble(-1, 1);
      }
      try (var device = new GpuDevice(driver, 0, compiler, _ -> {});
          Arena arena = Arena.ofConfined();
          var matrix = upload(device, arena, bytes);
          var in = new DeviceBuffer(device.context(), x.length * 4L);
          var out = new DeviceBuffer(device.context(), (long) most * ROWS * 4)) {
        device.stream().copyToDevice(arena.allocateFrom(JAVA_FLOAT, x), in.address());
        float[] alone = multiply(device, arena, type, matrix, in, out, most, 1);
        for (int atOnce : new int[] {2, 4, 8}) {
          assertThat(multiply(device, arena, type, matrix, in, out, most, atOnce))
              .as("%s, %d rows at once", type, atOnce)
              .isEqualTo(alone);
        }
        for (int row = 0; row < most; row++) {
          for (int output = 0; output < ROWS; output++) {
            double sum = 0;
            double size = 0;
            for (int i = 0; i < WIDTH; i++) {
              double term = (double) x[row * WIDTH + i] * weights[output * WIDTH + i];
              sum += term;
              size += Math.abs(term);
            }
            double difference = Math.abs(alone[row * ROWS + output] - sum);
            assertThat(difference).as("%s %d %d", type, row, output).isLessThan(1e-5 * size + 1e-9);
          }
        }
      }
    }

    private static float[] multiply(
        GpuDevice device,
        Arena arena,
        DType type,
        DeviceBuffer matrix,
        DeviceBuffer in,
        DeviceBuffer out,
        int rows,
        int atOnce) {
      var parameters = new LaunchParameters(arena).start().address(matrix.address());
      parameters.address(type.byteSize(WIDTH)).address(0).address(in.address()).integer(WIDTH);
      parameters.address(out.address()).integer(ROWS).integer(WIDTH).integer(ROWS).integer(rows);
      parameters.integer(0);
      device
          .kernel("product_" + GpuMatrix.suffix(type) + "_" + atOnce)
          .launch(
              device.stream(),
              LaunchGrid.of(Math.ceilDiv(ROWS, 8), Math.ceilDiv(rows, atOnce), 128),
              parameters);
      return download(device, arena, out, rows * ROWS);
    }

    private static DeviceBuffer upload(GpuDevice device, Arena arena, byte[] bytes) {
      var buffer = new DeviceBuffer(device.context(), bytes.length);
      MemorySegment segment = arena.allocate(bytes.length, 16);
      segment.copyFrom(MemorySegment.ofArray(bytes));
      device.stream().copyToDevice(segment, buffer.address());
      return buffer;
    }

    private static float[] download(
        GpuDevice device, Arena arena, DeviceBuffer buffer, int floats) {
      MemorySegment to = arena.allocate(JAVA_FLOAT, floats);
      device.stream().copyToHost(buffer.address(), to);
      device.stream().synchronize();
      return to.toArray(JAVA_FLOAT);
    }

    private static float[] decoded(DType type, byte[] bytes) {
      float[] all = new float[ROWS * WIDTH];
      Dequantizer.decode(type, MemorySegment.ofArray(bytes), 0, all.length, all, 0);
      return all;
    }
  }
}
