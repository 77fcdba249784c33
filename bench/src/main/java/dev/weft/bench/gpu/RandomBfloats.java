package dev.weft.bench.gpu;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/// Fills memory of the device with normal numbers in bfloat16, the same ones again after 32 MiB.
/// Their sizes differ, so that sums are rounded and their bits tell in which order they were added.
final class RandomBfloats {
  private static final long BYTES = 32L << 20;
  private static final int ROUND = 0x8000;

  private RandomBfloats() {}

  static void fill(CudaDriver driver, DeviceBuffer buffer, int seed) {
    var random = new SplittableRandom(seed);
    long filled = Math.min(BYTES, buffer.byteSize());
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment numbers = scratch.allocate(filled, Short.BYTES);
      for (long i = 0; i < filled / Short.BYTES; i++) {
        int bits = Float.floatToRawIntBits((float) random.nextGaussian());
        numbers.setAtIndex(JAVA_SHORT, i, (short) ((bits + ROUND) >>> 16));
      }
      driver.memcpyHtoD(buffer.address(), numbers);
    }
    while (filled < buffer.byteSize()) {
      long more = Math.min(filled, buffer.byteSize() - filled);
      driver.memcpyDtoDAsync(buffer.address() + filled, buffer.address(), more, 0);
      filled += more;
    }
    driver.ctxSynchronize();
  }
}
