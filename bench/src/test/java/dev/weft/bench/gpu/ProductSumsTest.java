package dev.weft.bench.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.gpu.EmulatedGpu;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

/// Two products have the same bits, or were added up in another order, or are not the same product.
class ProductSumsTest {
  /// @param own slices of as many sums as the other has
  private static boolean sameBits(float[] own, float[] other) {
    try (var context = new CudaContext(EmulatedGpu.driver(), 0);
        DeviceBuffer first = upload(context, own);
        DeviceBuffer second = upload(context, other)) {
      return new ProductSums(first.address(), own.length / other.length, other.length)
          .sameBits(new ProductSums(second.address(), 1, other.length), context.driver());
    }
  }

  private static DeviceBuffer upload(CudaContext context, float[] values) {
    var buffer = new DeviceBuffer(context, (long) values.length * Float.BYTES);
    try (Arena arena = Arena.ofConfined()) {
      context.driver().memcpyHtoD(buffer.address(), arena.allocateFrom(JAVA_FLOAT, values));
    }
    return buffer;
  }

  @Test
  void sumsAreComparedBitByBit() {
    assertThat(sameBits(new float[] {1, 2}, new float[] {1, 2})).isTrue();
    assertThat(sameBits(new float[] {1, Math.nextUp(2f)}, new float[] {1, 2})).isFalse();
  }

  @Test
  void slicesAreAddedInTheirOrder() {
    float small = Math.ulp(1f) / 2;
    float sum = 1f + small + small;
    float[] slices = {1, small, small};
    assertThat(sameBits(slices, new float[] {sum})).isTrue();
    assertThat(sameBits(slices, new float[] {small + small + 1f})).isFalse();
  }

  @Test
  void somethingElseIsTold() {
    assertThatThrownBy(() -> sameBits(new float[] {1, 2}, new float[] {2, 1}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("two products differ by 1.0; the largest sum is 2.0");
    assertThatThrownBy(() -> sameBits(new float[] {1, 2}, new float[] {1, Float.NaN}))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> sameBits(new float[] {Float.NaN, 2}, new float[] {1, 2}))
        .isInstanceOf(IllegalStateException.class);
  }
}
