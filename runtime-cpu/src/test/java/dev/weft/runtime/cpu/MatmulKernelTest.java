package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.RandomBlocks;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Every matrix product kernel against exact sums of the same rounded numbers, at odd sizes and
/// extreme values; and bit for bit against itself: alone, in batches, on several threads, on every
/// instruction set.
class MatmulKernelTest {
  private static final List<Integer> ROW_COUNTS =
      List.of(1, 2, 3, 4, 5, 8, 12, 13, 16, 17, 31, 32, 33, 64, 150);

  /// float32 sums of K terms, in blocks: the error grows far more slowly than K.
  private static final double TOLERANCE = 4e-6;

  record Kernel(DType type, Packing packing) {
    @Override
    public String toString() {
      return packing == Packing.FILE ? type.toString() : packing + " from " + type;
    }
  }

  static Stream<Kernel> kernels() {
    return Stream.concat(
        Arrays.stream(DType.values()).map(type -> new Kernel(type, Packing.FILE)),
        Stream.of(DType.F32, DType.BF16, DType.Q4_K)
            .flatMap(
                type -> Stream.of(new Kernel(type, Packing.W8A8), new Kernel(type, Packing.W4A8))));
  }

  private static Tensor tensor(DType type, int outputs, int inputs, long seed) {
    byte[] data = RandomBlocks.bytes(type, outputs * inputs, 0.05, new SplittableRandom(seed));
    return new Tensor("w", type, Shape.of(outputs, inputs), MemorySegment.ofArray(data));
  }

  private static float[] inputs(int count, long seed) {
    var random = new SplittableRandom(seed);
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  private static float[] multiply(
      Isa isa, int threads, Tensor weights, Packing packing, float[] x, int rows) {
    try (Arena arena = Arena.ofConfined();
        CpuDevice device = CpuDevices.device(isa, threads);
        PackedMatrix matrix = PackedMatrix.pack(device.library(), weights, packing)) {
      MemorySegment y = arena.allocate(JAVA_FLOAT, rows * weights.shape().rowCount());
      device.multiply(matrix, arena.allocateFrom(JAVA_FLOAT, x), rows, y);
      return y.toArray(JAVA_FLOAT);
    }
  }

  private static void assertNear(
      Kernel kernel, Isa isa, Tensor tensor, float[] x, float[] y, int rows) {
    int inputs = Math.toIntExact(tensor.shape().rowLength());
    int outputs = y.length / rows;
    float[] weights = PlainProduct.weights(tensor, kernel.packing());
    float[] rounded = PlainProduct.activations(x, inputs, kernel.type(), kernel.packing(), isa);
    for (int row = 0; row < rows; row++) {
      for (int output = 0; output < outputs; output++) {
        var expected = PlainProduct.product(weights, output, rounded, row, inputs);
        assertThat((double) y[row * outputs + output])
            .as("%s, %d rows, row %d, output %d", kernel, rows, row, output)
            .isCloseTo(
                expected.sum(),
                org.assertj.core.data.Offset.offset(expected.magnitude() * TOLERANCE + 1e-30));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void agreesWithExactSumsAtOddSizes(Kernel kernel) {
    int block = Math.max(kernel.type().blockElements(), 32);
    for (Isa isa : CpuDevices.instructionSets()) {
      for (int rows : ROW_COUNTS) {
        Tensor tensor = tensor(kernel.type(), 37, block * 2, rows);
        float[] x = inputs(rows * block * 2, rows + 1);
        assertNear(
            kernel, isa, tensor, x, multiply(isa, 2, tensor, kernel.packing(), x, rows), rows);
      }
      for (int inputs : List.of(512, 576 / block * block, 1536, 4096)) {
        if (inputs > 0) {
          Tensor tensor = tensor(kernel.type(), 33, inputs, inputs);
          float[] x = inputs(3 * inputs, inputs + 1);
          assertNear(kernel, isa, tensor, x, multiply(isa, 1, tensor, kernel.packing(), x, 3), 3);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void takesExtremeInputs(Kernel kernel) {
    int inputs = 256;
    Tensor tensor = tensor(kernel.type(), 16, inputs, 3);
    for (Isa isa : CpuDevices.instructionSets()) {
      for (float value : new float[] {0f, 1e-38f, 1e-20f, 1e20f, -3e4f}) {
        float[] x = new float[inputs];
        Arrays.fill(x, value);
        x[5] = -value;
        assertNear(kernel, isa, tensor, x, multiply(isa, 1, tensor, kernel.packing(), x, 1), 1);
      }
      // The largest sums that int8 can make, of either sign.
      float[] x = new float[inputs];
      for (int i = 0; i < inputs; i++) {
        x[i] = i / 32 % 2 == 0 ? 127 : -127;
      }
      assertNear(kernel, isa, tensor, x, multiply(isa, 1, tensor, kernel.packing(), x, 1), 1);
    }
  }

  /// Where the values of a block lie: after its scales, or in Q6_K before them.
  private record Values(int from, int until) {
    static Values of(DType type) {
      return switch (type) {
        case Q4_0, Q5_0, Q8_0 -> new Values(2, type.blockBytes());
        case Q4_1, Q5_1 -> new Values(4, type.blockBytes());
        case Q4_K, Q5_K -> new Values(16, type.blockBytes());
        case Q6_K -> new Values(0, 192);
        case F32, F16, BF16 -> throw new IllegalArgumentException(type + " has no blocks");
      };
    }
  }

  /// Every bit of every value set, or bytes at -128, against activations at the largest that int8
  /// holds: kernels that add in 16 bits neither saturate nor wrap around.
  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {"F32", "F16", "BF16"})
  void fullBlocksAreExact(DType type) {
    int inputs = 256;
    int rows = 5;
    Values values = Values.of(type);
    byte[] data = RandomBlocks.bytes(type, 16 * inputs, 0.05, new SplittableRandom(11));
    for (int block = 0; block < data.length; block += type.blockBytes()) {
      byte full = (byte) (type == DType.Q8_0 ? 0x80 : 0xff);
      Arrays.fill(data, block + values.from(), block + values.until(), full);
    }
    Tensor tensor = new Tensor("w", type, Shape.of(16, inputs), MemorySegment.ofArray(data));
    for (int period : List.of(1, 2, 3, 16)) {
      float[] x = new float[rows * inputs];
      for (int i = 0; i < x.length; i++) {
        x[i] = period == 1 || i / period % 2 == 0 ? 127 : -127;
      }
      for (Isa isa : CpuDevices.instructionSets()) {
        var kernel = new Kernel(type, Packing.FILE);
        float[] y = multiply(isa, 1, tensor, Packing.FILE, x, rows);
        assertNear(kernel, isa, tensor, x, y, rows);
      }
    }
  }

  /// Weights and activations all at their largest, over as many inputs as there may be: the sums of
  /// whole numbers neither wrap around nor lose a bit.
  @ParameterizedTest
  @EnumSource(
      value = Packing.class,
      names = {"W8A8", "W4A8"})
  void largestSumsAreExact(Packing packing) {
    int inputs = 65_536;
    int outputs = 2;
    float[] weights = new float[outputs * inputs];
    Arrays.fill(weights, 0, inputs, 1);
    Arrays.fill(weights, inputs, 2 * inputs, -1);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(JAVA_BYTE, (long) Float.BYTES * weights.length);
      MemorySegment.copy(weights, 0, data, JAVA_FLOAT.withByteAlignment(1), 0, weights.length);
      Tensor tensor = new Tensor("w", DType.F32, Shape.of(outputs, inputs), data);
      float weight = PlainProduct.weights(tensor, packing)[0];
      for (Isa isa : CpuDevices.instructionSets()) {
        for (int rows : List.of(1, 3, 16, 33)) {
          float[] x = new float[rows * inputs];
          Arrays.fill(x, 2);
          float[] y = multiply(isa, 1, tensor, packing, x, rows);
          for (int i = 0; i < y.length; i++) {
            assertThat(y[i])
                .as("%s, %d rows, %d", isa, rows, i)
                .isEqualTo((i % 2 == 0 ? 2 : -2) * weight * inputs);
          }
        }
      }
    }
  }

  /// A file's weights are read at their own bit width.
  @ParameterizedTest
  @EnumSource(DType.class)
  void packsInAsManyBytesAsTheFileHas(DType type) {
    Tensor tensor = tensor(type, 64, 1024, 5);
    try (CpuDevice device = CpuDevices.device(Isa.AVX2, 1)) {
      assertThat(device.packedBytes(tensor, Packing.FILE))
          .isBetween(tensor.data().byteSize(), tensor.data().byteSize() + 4096);
    }
  }

  @Test
  void refusesMoreInputsThanItsSumsHold() {
    Tensor tensor =
        new Tensor(
            "w", DType.F32, Shape.of(1, 65_537), MemorySegment.ofArray(new byte[65_537 * 4]));
    try (CpuDevice device = CpuDevices.device(Isa.AVX2, 1)) {
      assertThat(device.packedBytes(tensor, Packing.FILE)).isPositive();
      assertThatThrownBy(() -> device.packedBytes(tensor, Packing.W8A8))
          .hasMessageContaining("more inputs than W8A8 multiplies: 65536");
    }
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void rowDependsOnNothingButItself(Kernel kernel) {
    int inputs = 1536;
    int rows = 150;
    Tensor tensor = tensor(kernel.type(), 80, inputs, 5);
    float[] x = inputs(rows * inputs, 6);
    float[] plain = multiply(Isa.AVX2, 1, tensor, kernel.packing(), x, rows);
    for (Isa isa : CpuDevices.instructionSets()) {
      float[] all = plain;
      if (isa.multipliesBf16() && kernel.type() == DType.BF16 && kernel.packing() == Packing.FILE) {
        // The kernels whose arithmetic is its own: see agreesWithExactSumsAtOddSizes.
        all = multiply(isa, 1, tensor, kernel.packing(), x, rows);
      }
      for (int threads : List.of(1, 2, 3)) {
        assertThat(multiply(isa, threads, tensor, kernel.packing(), x, rows))
            .as("%s on %s with %d threads", kernel, isa, threads)
            .isEqualTo(all);
      }
      int first = 0;
      for (int count : List.of(1, 2, 3, 4, 5, 6, 7, 8, 11, 17)) {
        float[] part = Arrays.copyOfRange(x, first * inputs, (first + count) * inputs);
        assertThat(multiply(isa, 2, tensor, kernel.packing(), part, count))
            .as("%s on %s, rows %d to %d", kernel, isa, first, first + count)
            .isEqualTo(Arrays.copyOfRange(all, first * 80, (first + count) * 80));
        first += count;
      }
    }
  }

  /// Packed bytes may lie in a file: they mean the same wherever they are.
  @ParameterizedTest
  @MethodSource("kernels")
  void multipliesPackedBytesThatLieElsewhere(Kernel kernel) {
    int rows = 5;
    Tensor tensor = tensor(kernel.type(), 37, 512, 7);
    float[] x = inputs(rows * 512, 8);
    for (Isa isa : CpuDevices.instructionSets()) {
      try (Arena arena = Arena.ofConfined();
          CpuDevice device = CpuDevices.device(isa, 2);
          PackedMatrix packed = PackedMatrix.pack(device.library(), tensor, kernel.packing())) {
        long bytes = device.packedBytes(tensor, kernel.packing());
        MemorySegment copy = arena.allocate(bytes, 64).copyFrom(packed.data(bytes));
        try (PackedMatrix wrapped =
            PackedMatrix.wrap(device.library(), tensor, kernel.packing(), copy)) {
          MemorySegment y = arena.allocate(JAVA_FLOAT, rows * 37L);
          device.multiply(wrapped, arena.allocateFrom(JAVA_FLOAT, x), rows, y);
          assertThat(y.toArray(JAVA_FLOAT))
              .isEqualTo(multiply(isa, 2, tensor, kernel.packing(), x, rows));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void dequantizesAsTheReference(Kernel kernel) {
    Tensor tensor = tensor(kernel.type(), 3, 512, 9);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_FLOAT, 3 * 512);
      CpuDevices.library()
          .dequantize(
              Natives.typeCode(kernel.type()),
              Natives.inNativeMemory(tensor.data(), arena),
              3 * 512,
              out);
      assertThat(out.toArray(JAVA_FLOAT)).isEqualTo(PlainProduct.weights(tensor, Packing.FILE));
    }
  }
}
