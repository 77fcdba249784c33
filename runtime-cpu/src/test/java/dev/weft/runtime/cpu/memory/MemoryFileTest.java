package dev.weft.runtime.cpu.memory;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.VirtualTensor;
import dev.weft.runtime.memory.VirtualTensor.Kind;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// The memory of a CPU under a pool, with real pages: what a chunk holds goes with it, and what is
/// released is given back.
@SuppressWarnings("restricted")
class MemoryFileTest {
  private static final long CHUNK = ChunkMemory.CHUNK_BYTES;
  private static final int WORDS_APART = 4096 / Long.BYTES;

  private static MemorySegment memory(VirtualTensor tensor) {
    return MemorySegment.ofAddress(tensor.address()).reinterpret(tensor.mappedBytes());
  }

  /// A word a page of one chunk.
  private static void fill(VirtualTensor tensor, int chunk, long value) {
    MemorySegment memory = memory(tensor).asSlice(chunk * CHUNK, CHUNK);
    for (long word = 0; word < CHUNK / Long.BYTES; word += WORDS_APART) {
      memory.setAtIndex(JAVA_LONG, word, value + word);
    }
  }

  private static void assertHolds(VirtualTensor tensor, int chunk, long value) {
    MemorySegment memory = memory(tensor).asSlice(chunk * CHUNK, CHUNK);
    for (long word = 0; word < CHUNK / Long.BYTES; word += WORDS_APART) {
      if (memory.getAtIndex(JAVA_LONG, word) != value + word) {
        throw new AssertionError("chunk %d of %s lost word %d".formatted(chunk, tensor, word));
      }
    }
  }

  private static long mappings() throws IOException {
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains("weft-chunks")).count();
    }
  }

  private static long sharedKilobytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("RssShmem:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    throw new IOException("no RssShmem in /proc/self/status");
  }

  @Test
  void whatAChunkHoldsGoesWithIt() {
    try (var pool = new ChunkPool(new MemoryFile(8 * CHUNK));
        var from = pool.reserve("from", Kind.KV, 8);
        var to = pool.reserve("to", Kind.KV, 8)) {
      assertThat(from.tryGrow(5)).isTrue();
      for (int chunk = 0; chunk < 5; chunk++) {
        fill(from, chunk, chunk * 1_000_000L);
      }
      assertThat(from.shrinkInto(to, 2)).isEqualTo(3);
      assertHolds(from, 1, 1_000_000);
      assertHolds(to, 0, 2_000_000);
      assertHolds(to, 2, 4_000_000);
    }
  }

  @Test
  void releasedChunksAreEmptyAndTakeNoMemory() throws IOException {
    long before = sharedKilobytes();
    try (var pool = new ChunkPool(new MemoryFile(8 * CHUNK));
        var tensor = pool.reserve("a", Kind.KV, 8)) {
      assertThat(tensor.tryGrow(8)).isTrue();
      for (int chunk = 0; chunk < 8; chunk++) {
        fill(tensor, chunk, 1);
      }
      assertThat(sharedKilobytes() - before).isGreaterThanOrEqualTo(8 * CHUNK / 1024);
      tensor.shrink(1);
      assertThat(sharedKilobytes() - before).isLessThan(2 * CHUNK / 1024);
      assertThat(tensor.tryGrow(2)).isTrue();
      assertThat(memory(tensor).get(JAVA_LONG, CHUNK)).isZero();
      assertHolds(tensor, 0, 1);
    }
  }

  @Test
  void chunksThatFollowEachOtherAreOneMapping() throws IOException {
    try (var pool = new ChunkPool(new MemoryFile(64 * CHUNK));
        var tensor = pool.reserve("a", Kind.KV, 64)) {
      for (int size = 8; size <= 64; size += 8) {
        assertThat(tensor.tryGrow(size)).isTrue();
      }
      assertThat(mappings()).isEqualTo(1);
    }
    assertThat(mappings()).isZero();
  }

  /// The end of the process's mappings is a clear refusal, and takes nothing along.
  @Test
  void sayWhatToDoWhenThereAreTooManyBytesForTheAddressSpace() {
    try (var memory = new MemoryFile(CHUNK)) {
      assertThatThrownBy(() -> memory.reserve(Integer.MAX_VALUE))
          .isInstanceOf(NativeException.class)
          .hasMessageContaining("out of memory, of address space, or of mappings")
          .hasMessageContaining("vm.max_map_count");
    }
  }

  /// The pool's own rules are checked by its property test; this one says that they hold for what
  /// lies in memory, whichever way chunks go.
  @Test
  void contentsSurviveAnyHistory() {
    for (long seed = 1; seed <= 20; seed++) {
      history(new SplittableRandom(seed));
    }
  }

  private static void history(SplittableRandom random) {
    int chunks = 10;
    List<VirtualTensor> tensors = new ArrayList<>();
    List<List<Long>> written = new ArrayList<>();
    try (var pool = new ChunkPool(new MemoryFile(chunks * CHUNK))) {
      for (int i = 0; i < 3; i++) {
        tensors.add(pool.reserve("tensor-" + i, Kind.KV, chunks));
        written.add(new ArrayList<>());
      }
      for (int turn = 0; turn < 40; turn++) {
        int which = random.nextInt(3);
        VirtualTensor tensor = tensors.get(which);
        List<Long> values = written.get(which);
        int size = random.nextInt(chunks + 1);
        if (random.nextBoolean()) {
          if (tensor.tryGrow(size)) {
            while (values.size() < size) {
              values.add(random.nextLong());
              fill(tensor, values.size() - 1, values.getLast());
            }
          }
        } else {
          int other = (which + 1) % 3;
          List<Long> cut = values.subList(Math.min(size, values.size()), values.size());
          if (random.nextBoolean()) {
            tensor.shrinkInto(tensors.get(other), size);
            written.get(other).addAll(cut);
          } else {
            tensor.shrink(size);
          }
          cut.clear();
        }
        pool.checkIntegrity();
        for (int i = 0; i < 3; i++) {
          assertThat(tensors.get(i).mappedChunks()).isEqualTo(written.get(i).size());
          for (int chunk = 0; chunk < written.get(i).size(); chunk++) {
            assertHolds(tensors.get(i), chunk, written.get(i).get(chunk));
          }
        }
      }
      tensors.forEach(VirtualTensor::close);
    }
  }
}
