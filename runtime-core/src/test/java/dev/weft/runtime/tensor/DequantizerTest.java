package dev.weft.runtime.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Every type is read bit for bit as the `gguf` package reads it. The goldens hold blocks of random
/// bytes with ordinary, zero, negative, subnormal and largest scales;
/// `src/test/python/dequantize_goldens.py` writes them.
class DequantizerTest {
  @ParameterizedTest
  @EnumSource
  void readsBlocksBitForBitAsGgml(DType type) throws IOException {
    ByteBuffer golden = golden(type);
    int elements = golden.getInt();
    byte[] blocks = new byte[Math.toIntExact(type.byteSize(elements))];
    golden.get(blocks);
    float[] expected = new float[elements];
    golden.asFloatBuffer().get(expected);

    float[] actual = new float[elements];
    Dequantizer.decode(type, MemorySegment.ofArray(blocks), 0, elements, actual, 0);

    assertThat(golden.remaining()).isEqualTo(4 * elements);
    for (int i = 0; i < elements; i++) {
      assertThat(Float.floatToRawIntBits(actual[i]))
          .as("element %d: %s instead of %s", i, actual[i], expected[i])
          .isEqualTo(Float.floatToRawIntBits(expected[i]));
    }
  }

  @ParameterizedTest
  @EnumSource
  void rowsAreThoseOfTheWholeTensor(DType type) {
    int rows = 5;
    int rowLength = 2 * type.blockElements();
    byte[] bytes = RandomBlocks.bytes(type, rows * rowLength, 1, new Random(3));
    Tensor tensor = new Tensor("t", type, Shape.of(rows, rowLength), MemorySegment.ofArray(bytes));
    float[] all = Dequantizer.all(tensor);

    float[] row = new float[rowLength];
    Dequantizer.row(tensor, 3, row);
    float[] two = new float[1 + 2 * rowLength];
    Dequantizer.rows(tensor, 1, 2, two, 1);

    for (int i = 0; i < rowLength; i++) {
      assertThat(row[i]).isEqualTo(all[3 * rowLength + i]);
      assertThat(two[1 + i]).isEqualTo(all[rowLength + i]);
      assertThat(two[1 + rowLength + i]).isEqualTo(all[2 * rowLength + i]);
    }
  }

  @Test
  void refusesRowsOutsideTheTensor() {
    Tensor tensor = new Tensor("t", DType.F32, Shape.of(2, 3), MemorySegment.ofArray(new byte[24]));
    for (long row : new long[] {-1, 2, Long.MAX_VALUE}) {
      assertThatThrownBy(() -> Dequantizer.row(tensor, row, new float[3]))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessageContaining("t [2, 3]");
    }
  }

  private static ByteBuffer golden(DType type) throws IOException {
    String name = "/golden/dequantize/" + type + ".bin";
    try (InputStream in = DequantizerTest.class.getResourceAsStream(name)) {
      byte[] bytes = Objects.requireNonNull(in, name).readAllBytes();
      return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
  }
}
