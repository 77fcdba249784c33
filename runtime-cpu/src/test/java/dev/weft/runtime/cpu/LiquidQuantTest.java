package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// LiquidQuant's arithmetic, exhaustively; and what the library packs, bit for bit.
class LiquidQuantTest {
  private static final int PROTECTED = LiquidQuant.PROTECTED;

  /// Every lowest, highest and value between: the paper's proof, by trying.
  @Test
  void papersFormulaNeverLeavesAByteAndErrsByEightAtMost() {
    for (int lowest = -PROTECTED; lowest <= PROTECTED; lowest++) {
      for (int highest = lowest; highest <= PROTECTED; highest++) {
        int[] values = new int[highest - lowest + 1];
        for (int i = 0; i < values.length; i++) {
          values[i] = lowest + i;
        }
        assertHolds(LiquidQuant.papers(values), values, 8);
      }
    }
  }

  @Test
  void betterParametersNeverLeaveAByteEither() {
    var random = new SplittableRandom(1);
    for (int i = 0; i < 20_000; i++) {
      int reach = random.nextInt(1, PROTECTED + 1);
      int[] values = random.ints(LiquidQuant.GROUP, -reach, reach + 1).toArray();
      values[random.nextInt(values.length)] = random.nextInt(-PROTECTED, PROTECTED + 1);
      LiquidQuant.Group group = LiquidQuant.quantize(values);
      assertHolds(group, values, 255);
      assertThat(group.squaredError(values))
          .isLessThanOrEqualTo(LiquidQuant.papers(values).squaredError(values));
    }
  }

  private static void assertHolds(LiquidQuant.Group group, int[] values, int largestError) {
    int s = group.s();
    int a = group.a();
    boolean holds = s >= 1 && s <= 16 && a >= 9 && a <= 255;
    for (int i = 0; i < values.length; i++) {
      int q = group.q()[i];
      int u = group.unsigned(i);
      holds &= q >= 0 && q <= 15 && u >= 0 && u <= 255;
      holds &= (byte) (u ^ 0x80) == u - 128;
      holds &= Math.abs(u - 128 - values[i]) <= largestError;
    }
    if (!holds) {
      throw new AssertionError("s %d, a %d of %s".formatted(s, a, Arrays.toString(values)));
    }
  }

  /// Four values a word: one multiplication and one addition, no byte carries into the next.
  @Test
  void wordsMultiplyAndAddAsTheirBytesDo() {
    var random = new SplittableRandom(2);
    for (int s = 1; s <= 16; s++) {
      for (int a = 9; a <= 255 - 15 * s; a++) {
        int word = random.nextInt() & 0x0f0f0f0f;
        int packed = word * s + a * 0x01010101;
        int low = (word & 0xffff) * s & 0xffff;
        int high = (word >>> 16) * s & 0xffff;
        assertThat((high << 16 | low) + a * 0x01010101).as("by halves").isEqualTo(packed);
        for (int shift = 0; shift < 32; shift += 8) {
          assertThat(packed >>> shift & 0xff).isEqualTo((word >>> shift & 0xff) * s + a);
        }
      }
    }
  }

  /// The identity matrix as activations gives back each weight: 127 is exact, and so is its scale.
  @ParameterizedTest
  @ValueSource(ints = {1, 31, 63, 64, 65, 96, 160, 191})
  void libraryPacksTheSameWeights(int inputs) {
    int outputs = 37;
    var random = new SplittableRandom(inputs);
    float[] weights = new float[outputs * inputs];
    for (int i = 0; i < weights.length; i++) {
      float size = i / inputs % 5 == 4 ? 0 : i % 17 == 0 ? 0.5f : 0.02f;
      weights[i] = (float) random.nextGaussian() * size;
    }
    float[] expected = weights.clone();
    LiquidQuant.round(expected, inputs);
    for (Isa isa : CpuDevices.instructionSets()) {
      assertThat(weightsInUse(isa, weights, outputs, inputs)).as("%s", isa).isEqualTo(expected);
    }
  }

  private static float[] weightsInUse(Isa isa, float[] weights, int outputs, int inputs) {
    float[] x = new float[inputs * inputs];
    for (int i = 0; i < inputs; i++) {
      x[i * inputs + i] = 127;
    }
    try (Arena arena = Arena.ofConfined();
        CpuDevice device = CpuDevices.device(isa, 1)) {
      MemorySegment data = arena.allocate(JAVA_BYTE, (long) Float.BYTES * weights.length);
      MemorySegment.copy(weights, 0, data, JAVA_FLOAT.withByteAlignment(1), 0, weights.length);
      Tensor tensor = new Tensor("w", DType.F32, Shape.of(outputs, inputs), data);
      try (PackedMatrix matrix = PackedMatrix.pack(device.library(), tensor, Packing.W4A8)) {
        MemorySegment y = arena.allocate(JAVA_FLOAT, (long) inputs * outputs);
        device.multiply(matrix, arena.allocateFrom(JAVA_FLOAT, x), inputs, y);
        float[] found = new float[weights.length];
        for (int i = 0; i < found.length; i++) {
          // y[input][output] = 127 * (q s + a - 128) * scale, rounded once more than the weight.
          float scale = LiquidQuant.scale(weights, i / inputs * inputs, (i / inputs + 1) * inputs);
          float value = y.getAtIndex(JAVA_FLOAT, (long) (i % inputs) * outputs + i / inputs);
          found[i] = scale == 0 ? value : Math.round(value / 127 / scale) * scale;
        }
        return found;
      }
    }
  }
}
