package dev.weft.runtime.cpu.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FreedMemoryTest {
  private static final NativeLibrary LIBC = NativeLibrary.open("libc.so.6");
  private static final NativeFunction MALLOC = LIBC.function("malloc");
  private static final NativeFunction MEMSET = LIBC.function("memset");
  private static final NativeFunction FREE = LIBC.function("free");
  private static final long BLOCK = 4 << 20;
  private static final int BLOCKS = 24;

  /// A block that is written to, so that it is resident.
  private static long block() {
    long block = MALLOC.call(BLOCK);
    assertThat(block).isNotEqualTo(MemorySegment.NULL.address());
    MEMSET.call(block, 1, BLOCK);
    return block;
  }

  private static long residentBytes() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("RssAnon:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
        .sum();
  }

  @Test
  void whatWasFreedBelowABlockInUseGoesBack() throws IOException {
    // Once one of this size was freed, the library takes them from its heap.
    FREE.call(block());
    List<Long> blocks = new ArrayList<>();
    for (int i = 0; i < BLOCKS; i++) {
      blocks.add(block());
    }
    long last = blocks.removeLast();
    blocks.forEach(FREE::call);
    long kept = residentBytes();
    FreedMemory.giveBack();
    assertThat(residentBytes()).isLessThan(kept - BLOCK * BLOCKS / 2);
    FREE.call(last);
  }
}
