package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.kernels.KernelCompiler;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.RandomBlocks;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Weights are decoded to the very bits that their formats define, and products of a row are the
/// same bits among any number of others and near the sum in float64.
class GpuFormatsTest {
  private static final int ROWS = 13;
  private static final int WIDTH = 1280;

  @Nested
  class Emulated extends Cases {
    Emulated() {
      super(EmulatedGpu.driver(), (_, _) -> new byte[] {0});
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
        parameters.address(type.byteSize(WIDTH)).address(tokens.address()).address(0);
        parameters.address(out.address()).integer(WIDTH);
        device
            .kernel(KernelUnit.weights(type), "embed_" + GpuMatrix.suffix(type))
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

    /// Counts of rows for each tile, and for more than one.
    @ParameterizedTest
    @EnumSource(DType.class)
    void productsOfARowDoNotDependOnTheOthers(DType type) {
      byte[] bytes = RandomBlocks.bytes(type, ROWS * WIDTH, 0.5, new SplittableRandom(6));
      float[] weights = rounded(type, decoded(type, bytes));
      int most = 137;
      float[] x = rounded(type, random(most * WIDTH));
      try (var device = new GpuDevice(driver, 0, compiler, _ -> {});
          Arena arena = Arena.ofConfined();
          var matrix = upload(device, arena, bytes);
          var in = upload(device, arena, activations(type, x));
          var out = new DeviceBuffer(device.context(), (long) most * ROWS * 4 * 8)) {
        var projection =
            new Projection(List.of(new GpuMatrix(matrix.address(), type, ROWS, WIDTH, 0)));
        float[] together = {};
        for (boolean wide : new boolean[] {false, device.runsWide()}) {
          var products = new Products(new StepLauncher(device, arena), wide, 132);
          for (int count : new int[] {most, 128, 65, 33, 9, 8, 7, 3, 1}) {
            var rows = new Products.Rows(in.address(), in.address(), count);
            products.multiply(projection, rows, out.address(), true);
            int slices = type == DType.F32 ? 1 : InputSlices.kept(ROWS, WIDTH, count);
            float[] sums =
                added(download(device, arena, out, slices * count * ROWS), slices, count * ROWS);
            if (together.length == 0) {
              together = sums;
              assertNear(type, sums, x, weights, count);
            }
            assertThat(sums)
                .as("%s, %d rows%s", type, count, wide ? " by wide products" : "")
                .isEqualTo(Arrays.copyOf(together, count * ROWS));
          }
        }
      }
    }

    private static void assertNear(DType type, float[] sums, float[] x, float[] w, int count) {
      for (int row = 0; row < count; row++) {
        for (int output = 0; output < ROWS; output++) {
          double sum = 0;
          double size = 0;
          for (int i = 0; i < WIDTH; i++) {
            double term = (double) x[row * WIDTH + i] * w[output * WIDTH + i];
            sum += term;
            size += Math.abs(term);
          }
          double difference = Math.abs(sums[row * ROWS + output] - sum);
          assertThat(difference).as("%s %d %d", type, row, output).isLessThan(2e-5 * size + 1e-9);
        }
      }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, mode = EnumSource.Mode.EXCLUDE, names = "F32")
    void gatesAreActivatedWhereTheyAreMultiplied(DType type) {
      int wide = 6;
      byte[] bytes = RandomBlocks.bytes(type, 2 * wide * WIDTH, 0.5, new SplittableRandom(8));
      int count = 9;
      float[] x = rounded(type, random(count * WIDTH));
      try (var device = new GpuDevice(driver, 0, compiler, _ -> {});
          Arena arena = Arena.ofConfined();
          var matrix = upload(device, arena, bytes);
          var in = upload(device, arena, activations(type, x));
          var out = new DeviceBuffer(device.context(), count * 2L * wide * 4)) {
        var products = new Products(new StepLauncher(device, arena), device.runsWide(), 132);
        var both = new GpuMatrix(matrix.address(), type, 2 * wide, WIDTH, 0);
        var rows = new Products.Rows(in.address(), in.address(), count);
        products.multiply(new Projection(List.of(both)), rows, out.address(), false);
        float[] sums = download(device, arena, out, count * 2 * wide);
        products.multiplyActivated(both, rows, out.address(), false);
        float[] activated = download(device, arena, out, count * wide / 2);
        for (int row = 0; row < count; row++) {
          for (int i = 0; i < wide; i++) {
            double gate = sums[row * 2 * wide + i];
            double expected = gate / (1 + Math.exp(-gate)) * sums[row * 2 * wide + wide + i];
            int word = Float.floatToRawIntBits(activated[(row * wide + i) / 2]);
            float actual =
                Float.intBitsToFloat((row * wide + i) % 2 == 0 ? word << 16 : word & ~0xffff);
            assertThat((double) actual)
                .as("%s %d %d", type, row, i)
                .isCloseTo(expected, within(0.005 * Math.abs(expected) + 1e-6));
          }
        }
      }
    }

    /// Tiles of every size, and blocks that have one tile and several. Of 1,040 inputs there are
    /// two slices, of 200 no whole tile.
    @ParameterizedTest
    @ValueSource(ints = {200, 1040})
    void promptsHaveTheSameSumsInTilesOfAnySize(int inputs) {
      int outputs = 276;
      byte[] bytes = RandomBlocks.bytes(DType.BF16, outputs * inputs, 0.5, new SplittableRandom(9));
      int most = 270;
      float[] x = rounded(DType.BF16, random(most * inputs));
      try (var device = new GpuDevice(driver, 0, compiler, _ -> {});
          Arena arena = Arena.ofConfined();
          var weights = upload(device, arena, bytes);
          var bias = upload(device, arena, activations(DType.F32, random(outputs)));
          var in = upload(device, arena, activations(DType.BF16, x));
          var out = new DeviceBuffer(device.context(), (long) most * outputs * 4)) {
        var matrix = new GpuMatrix(weights.address(), DType.BF16, outputs, inputs, bias.address());
        // Gates come in eights.
        var gated =
            new GpuMatrix(weights.address(), DType.BF16, outputs / 16 * 16, inputs, bias.address());
        var narrow = new Products(new StepLauncher(device, arena), false, 132);
        for (int count : new int[] {256, most}) {
          var rows = new Products.Rows(in.address(), in.address(), count);
          float[] sums = product(narrow, matrix, rows, out, device, arena);
          float[] activated = activated(narrow, gated, rows, out, device, arena);
          for (int multiprocessors : new int[] {2, 5, 132}) {
            var products =
                new Products(new StepLauncher(device, arena), device.runsWide(), multiprocessors);
            String as = "%d rows on %d multiprocessors".formatted(count, multiprocessors);
            assertThat(product(products, matrix, rows, out, device, arena)).as(as).isEqualTo(sums);
            assertThat(activated(products, gated, rows, out, device, arena))
                .as(as)
                .isEqualTo(activated);
          }
        }
      }
    }

    private static float[] product(
        Products products,
        GpuMatrix matrix,
        Products.Rows rows,
        DeviceBuffer out,
        GpuDevice device,
        Arena arena) {
      products.multiply(new Projection(List.of(matrix)), rows, out.address(), true);
      return download(device, arena, out, rows.count() * matrix.outputs());
    }

    /// Two elements of bfloat16 in one.
    private static float[] activated(
        Products products,
        GpuMatrix matrix,
        Products.Rows rows,
        DeviceBuffer out,
        GpuDevice device,
        Arena arena) {
      products.multiplyActivated(matrix, rows, out.address(), false);
      return download(device, arena, out, rows.count() * matrix.outputs() / 4);
    }

    private static float[] added(float[] all, int slices, int count) {
      float[] sums = Arrays.copyOf(all, count);
      for (int slice = 1; slice < slices; slice++) {
        for (int i = 0; i < count; i++) {
          sums[i] += all[slice * count + i];
        }
      }
      return sums;
    }

    private static float[] random(int count) {
      var random = new SplittableRandom(7);
      float[] x = new float[count];
      for (int i = 0; i < count; i++) {
        x[i] = (float) random.nextDouble(-1, 1);
      }
      return x;
    }

    /// As products take them: in bfloat16, but for those with float32.
    private static float[] rounded(DType type, float[] values) {
      float[] rounded = values.clone();
      for (int i = 0; i < rounded.length && type != DType.F32; i++) {
        rounded[i] = Float.intBitsToFloat(bfloat(values[i]) << 16);
      }
      return rounded;
    }

    private static int bfloat(float value) {
      int bits = Float.floatToRawIntBits(value);
      return (bits + 0x7fff + (bits >>> 16 & 1)) >>> 16;
    }

    private static byte[] activations(DType type, float[] x) {
      var bytes = ByteBuffer.allocate(x.length * 4).order(ByteOrder.nativeOrder());
      for (float value : x) {
        if (type == DType.F32) {
          bytes.putFloat(value);
        } else {
          bytes.putShort((short) bfloat(value));
        }
      }
      return bytes.array();
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
