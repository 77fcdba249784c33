package dev.weft.runtime.gpu.memory;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.gpu.EmulatedGpu;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.VirtualTensor;
import dev.weft.runtime.memory.VirtualTensor.Kind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/// A GPU's memory under a pool: what a chunk holds goes with it, what is released is another's as
/// zeros, and nothing is lost or given twice.
class CudaChunkMemoryTest {
  private static final long CHUNK = ChunkMemory.CHUNK_BYTES;

  @Nested
  class Emulated extends Cases {
    Emulated() {
      super(EmulatedGpu.driver());
    }

    @AfterEach
    void giveAllMemoryBack() {
      assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES)).as("allocated").isZero();
    }

    @Test
    void allocationsAreOfChunksThatWereEverMapped() {
      try (var pool = new ChunkPool(new CudaChunkMemory(context, stream, 64 * CHUNK));
          var tensor = pool.reserve("one", Kind.KV, 8)) {
        assertThat(tensor.tryGrow(3)).isTrue();
        assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES)).isEqualTo(3 * CHUNK);
        tensor.shrink(0);
        pool.awaitRetired();
        assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES)).isEqualTo(3 * CHUNK);
      }
    }

    /// The emulator refuses to unmap while anything waits in a stream.
    @Test
    void nothingIsUnmappedBeforeTheCopiesBesideStepsHaveEnded() {
      try (var copies = new CudaStream(context);
          var pinned = new PinnedBuffer(context, CHUNK);
          var pool =
              new ChunkPool(new CudaChunkMemory(context, stream, 8 * CHUNK, List.of(copies)));
          var tensor = pool.reserve("one", Kind.KV, 8)) {
        assertThat(tensor.tryGrow(2)).isTrue();
        write(tensor, 1, 17);
        pinned.segment().set(JAVA_LONG, 0, 0);
        EmulatedGpu.late(true);
        copies.copyToHost(tensor.address() + CHUNK, pinned.segment());
        assertThat(pinned.segment().get(JAVA_LONG, 0)).as("it is late").isZero();
        tensor.shrink(0);
        assertThat(pinned.segment().get(JAVA_LONG, 0)).isEqualTo(17);
      } finally {
        EmulatedGpu.late(false);
      }
    }

    /// So what others have vacated can be unmapped while later steps run.
    @Test
    void aFenceIsBehindCopiesAndInFrontOfWhatIsSubmittedLater() {
      try (var copies = new CudaStream(context);
          var pinned = new PinnedBuffer(context, CHUNK);
          var memory = new CudaChunkMemory(context, stream, 8 * CHUNK, List.of(copies))) {
        MemorySegment host = pinned.segment();
        host.set(JAVA_LONG, 0, 0);
        host.set(JAVA_LONG, Long.BYTES, 0);
        long address = memory.reserve(2);
        memory.map(address, new int[] {0, 1});
        try (Arena arena = Arena.ofConfined()) {
          driver.memcpyHtoD(address, arena.allocateFrom(JAVA_LONG, 17));
          driver.memcpyHtoD(address + CHUNK, arena.allocateFrom(JAVA_LONG, 18));
        }
        EmulatedGpu.late(true);
        copies.copyToHost(address + CHUNK, host.asSlice(0, Long.BYTES));
        ChunkMemory.Fence fence = memory.fence();
        copies.copyToHost(address, host.asSlice(Long.BYTES, Long.BYTES));
        assertThat(fence.passed()).isFalse();

        fence.await();

        assertThat(host.get(JAVA_LONG, 0)).as("it was in front of the fence").isEqualTo(18);
        assertThat(host.get(JAVA_LONG, Long.BYTES)).as("it is late still").isZero();
        assertThat(fence.passed()).isTrue();
        memory.unmap(address, 1);
        assertThat(host.get(JAVA_LONG, Long.BYTES)).isEqualTo(17);
        memory.unmap(address + CHUNK, 1, fence);
        memory.free(address, 2);
      } finally {
        EmulatedGpu.late(false);
      }
    }

    @Test
    void whatNobodyHasGoesToWhoNeedsIt() {
      var memory = new CudaChunkMemory(context, stream, 8 * CHUNK);
      try (var pool = new ChunkPool(memory);
          var tensor = pool.reserve("one", Kind.KV, 8)) {
        EmulatedGpu.memory(8 * CHUNK);
        assertThat(tensor.tryGrow(8)).isTrue();
        write(tensor, 0, 17);
        tensor.shrink(3);
        pool.awaitRetired();
        assertThatThrownBy(() -> new DeviceBuffer(context, 4 * CHUNK))
            .isInstanceOfSatisfying(CudaException.class, e -> assertThat(e.outOfMemory()).isTrue());
        assertThat(memory.trim()).isEqualTo(5 * CHUNK);
        assertThat(memory.trim()).as("there is no more").isZero();
        try (var buffer = new DeviceBuffer(context, 4 * CHUNK)) {
          assertThat(read(tensor, 0)).as("what is held stays").isEqualTo(17);
          assertThat(buffer.byteSize()).isEqualTo(4 * CHUNK);
          assertThat(tensor.tryGrow(4)).as("one chunk is left").isTrue();
          assertThatThrownBy(() -> tensor.tryGrow(5)).isInstanceOf(CudaException.class);
          assertThat(tensor.mappedChunks()).isEqualTo(4);
        }
        pool.checkIntegrity();
      }
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC")
  class OnTheDevice extends Cases {
    OnTheDevice() {
      super(CudaDriver.open());
    }
  }

  abstract static class Cases {
    final CudaDriver driver;
    final CudaContext context;
    final CudaStream stream;

    Cases(CudaDriver driver) {
      this.driver = driver;
      context = new CudaContext(driver, 0);
      stream = new CudaStream(context);
    }

    @AfterEach
    void close() {
      stream.close();
      context.close();
    }

    /// A word at the chunk's beginning and one at its end.
    final void write(VirtualTensor tensor, int chunk, long value) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment word = arena.allocateFrom(JAVA_LONG, value);
        driver.memcpyHtoD(tensor.address() + chunk * CHUNK, word);
        driver.memcpyHtoD(tensor.address() + (chunk + 1) * CHUNK - Long.BYTES, word);
      }
    }

    final long read(VirtualTensor tensor, int chunk) {
      stream.synchronize();
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment words = arena.allocate(JAVA_LONG, 2);
        driver.memcpyDtoH(words.asSlice(0, Long.BYTES), tensor.address() + chunk * CHUNK);
        driver.memcpyDtoH(
            words.asSlice(Long.BYTES), tensor.address() + (chunk + 1) * CHUNK - Long.BYTES);
        assertThat(words.getAtIndex(JAVA_LONG, 1)).isEqualTo(words.get(JAVA_LONG, 0));
        return words.get(JAVA_LONG, 0);
      }
    }

    private ChunkPool pool(int chunks) {
      return new ChunkPool(new CudaChunkMemory(context, stream, chunks * CHUNK));
    }

    @Test
    void whatAChunkHoldsGoesWithIt() {
      try (var pool = pool(8);
          var from = pool.reserve("from", Kind.KV, 8);
          var to = pool.reserve("to", Kind.KV, 8)) {
        assertThat(from.tryGrow(5)).isTrue();
        for (int chunk = 0; chunk < 5; chunk++) {
          write(from, chunk, 100 + chunk);
        }
        assertThat(from.shrinkInto(to, 2)).isEqualTo(3);
        assertThat(read(from, 1)).isEqualTo(101);
        assertThat(read(to, 0)).isEqualTo(102);
        assertThat(read(to, 2)).isEqualTo(104);
      }
    }

    @Test
    void whatWasReleasedIsAnothersAsZeros() {
      try (var pool = pool(4);
          var from = pool.reserve("from", Kind.KV, 4);
          var to = pool.reserve("to", Kind.ACTIVATION, 4)) {
        assertThat(from.tryGrow(4)).isTrue();
        assertThat(read(from, 3)).as("fresh").isZero();
        for (int chunk = 0; chunk < 4; chunk++) {
          write(from, chunk, 7);
        }
        from.shrink(0);
        pool.awaitRetired();
        assertThat(to.tryGrow(4)).isTrue();
        for (int chunk = 0; chunk < 4; chunk++) {
          assertThat(read(to, chunk)).isZero();
        }
      }
    }

    @Test
    void chunksAreConserved() {
      var random = new SplittableRandom(11);
      try (var pool = pool(24)) {
        List<VirtualTensor> tensors = new ArrayList<>();
        for (String name : List.of("one", "two", "three")) {
          tensors.add(pool.reserve(name, Kind.KV, 24));
        }
        for (int i = 0; i < 300; i++) {
          VirtualTensor tensor = tensors.get(random.nextInt(tensors.size()));
          int before = tensor.mappedChunks();
          switch (random.nextInt(3)) {
            case 0 -> {
              if (tensor.tryGrow(Math.min(24, before + 1 + random.nextInt(6)))) {
                for (int chunk = before; chunk < tensor.mappedChunks(); chunk++) {
                  assertThat(read(tensor, chunk)).as("step %d", i).isZero();
                  write(tensor, chunk, chunk + 1);
                }
              }
            }
            case 1 -> tensor.shrink(random.nextInt(before + 1));
            default -> pool.awaitRetired();
          }
          for (VirtualTensor each : tensors) {
            for (int chunk = 0; chunk < each.mappedChunks(); chunk++) {
              assertThat(read(each, chunk)).as("step %d", i).isEqualTo(chunk + 1);
            }
          }
          pool.checkIntegrity();
        }
        tensors.forEach(VirtualTensor::close);
      }
    }
  }
}
