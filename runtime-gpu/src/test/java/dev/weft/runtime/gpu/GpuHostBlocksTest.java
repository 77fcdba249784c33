package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.HostBlocks;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/// Copies of blocks beside steps: in the emulator each stream runs as late as what waits for it
/// allows, so that whatever nothing orders is seen in the wrong order.
@Timeout(120)
class GpuHostBlocksTest {
  private static final int BLOCKS = 24;
  private static final int CONTEXT = 128;
  private static final long SLAB = 128 << 10;
  private static final int SLABS = 3;

  @Nested
  class Emulated extends Cases {
    @Override
    GpuBackend open(HostMemoryLimit limit) {
      return EmulatedGpu.backend(limit);
    }

    @BeforeEach
    void late() {
      EmulatedGpu.late(true);
    }

    @AfterEach
    void atOnce() {
      EmulatedGpu.late(false);
      EmulatedGpu.hostMemory(Long.MAX_VALUE);
    }

    @Test
    void whereNothingCanBePinnedThereIsNoPlaceAndNobodyWaits() {
      EmulatedGpu.hostMemory(EmulatedGpu.hostMemory(Long.MAX_VALUE));
      HostBlocks host = decoder.hostBlocks();
      assertThat(host.capacityBytes()).isPositive();
      long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
      while (!host.full() && System.nanoTime() < end) {
        assertThat(host.tryTake()).isEqualTo(HostBlocks.NO_PLACE);
      }
      assertThat(host.full()).isTrue();
    }

    @Test
    void closingInTheMiddleOfCopiesLeavesNothing() {
      for (int block = 0; block < 4; block++) {
        decoder.hostBlocks().save(block, place());
      }
      decoder.hostBlocks().load(place(), 5);
      decoder.close();
      closed = true;
      try (var again = compile()) {
        assertThat(again.hostBlocks().tryTake()).as("it was pinned before").isNotNegative();
      }
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC")
  class OnTheDevice extends Cases {
    @Override
    GpuBackend open(HostMemoryLimit limit) {
      return RealGpu.backend(limit);
    }
  }

  abstract static class Cases {
    @TempDir private Path directory;
    private ModelPackage model;
    private GpuBackend backend;
    DecoderExecutable decoder;
    boolean closed;

    abstract GpuBackend open(HostMemoryLimit limit);

    @BeforeEach
    void open() {
      model = ModelFiles.open(TinyModels.llama(directory, 5).writeGguf());
      backend = open(new HostMemoryLimit(0, SLAB, SLABS * SLAB));
      decoder = compile();
    }

    final DecoderExecutable compile() {
      return compile(backend);
    }

    private DecoderExecutable compile(GpuBackend backend) {
      var options = new CompileOptions(Quantization.NONE, CONTEXT, BLOCKS, CONTEXT, 4);
      return backend.compile((DecoderSpec) model.spec(), model.weights(), options);
    }

    @AfterEach
    void close() {
      if (!closed) {
        decoder.close();
      }
      backend.close();
      model.close();
    }

    /// One that there is, or will be soon.
    final int place() {
      long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
      int place = decoder.hostBlocks().tryTake();
      while (place == HostBlocks.NO_PLACE) {
        assertThat(System.nanoTime()).as("a slab is pinned in time").isLessThan(end);
        Thread.onSpinWait();
        place = decoder.hostBlocks().tryTake();
      }
      return place;
    }

    private long blockBytes() {
      return decoder.kvLayout().blockBytes();
    }

    private void fill(int block, int value) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment contents = arena.allocate(blockBytes(), 64);
        contents.fill((byte) value);
        decoder.loadBlocks(new int[] {block}, contents);
      }
    }

    @Test
    void whereABlockIsLargerThanASlabThereIsNoPlace() {
      try (GpuBackend small = open(new HostMemoryLimit(0, blockBytes() - 1, SLABS * SLAB));
          var large = compile(small)) {
        assertThat(large.hostBlocks().capacityBytes()).isZero();
        assertThat(large.hostBlocks().full()).isTrue();
        assertThat(large.hostBlocks().tryTake()).isEqualTo(HostBlocks.NO_PLACE);
      }
    }

    private byte[] contents(int block) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment contents = arena.allocate(blockBytes(), 64);
        decoder.saveBlocks(new int[] {block}, contents);
        return contents.toArray(JAVA_BYTE);
      }
    }

    private byte[] filled(int value) {
      byte[] bytes = new byte[Math.toIntExact(blockBytes())];
      Arrays.fill(bytes, (byte) value);
      return bytes;
    }

    @Test
    void whatOverwritesABlockWaitsForItsCopy() {
      int place = place();
      fill(0, 17);
      decoder.hostBlocks().save(0, place);
      fill(0, 18);
      decoder.hostBlocks().load(place, 1);
      assertThat(contents(1)).isEqualTo(filled(17));
      assertThat(contents(0)).isEqualTo(filled(18));
    }

    @Test
    void aPlaceIsGivenAwayWhileItIsReadAndABlockWhileItIsWritten() {
      int place = place();
      fill(0, 17);
      fill(1, 18);
      HostBlocks host = decoder.hostBlocks();
      host.save(0, place);
      host.load(place, 2);
      host.release(place);
      assertThat(host.tryTake()).isEqualTo(place);
      host.save(1, place);
      host.load(place, 3);
      // What is still on its way to 3 goes out again.
      int other = place();
      host.save(3, other);
      fill(3, 19);
      host.load(place, 0);
      host.load(other, 4);
      for (int block : new int[] {0, 1, 4}) {
        assertThat(contents(block)).as("block %d", block).isEqualTo(filled(18));
      }
      assertThat(contents(3)).isEqualTo(filled(19));
      assertThat(contents(2)).isEqualTo(filled(17));
    }

    @Test
    void blocksMoveAndAreCopiedInTheOrderThatWasAskedFor() {
      int place = place();
      int other = place();
      fill(0, 17);
      fill(1, 18);
      HostBlocks host = decoder.hostBlocks();
      decoder.moveBlocks(new int[] {0}, new int[] {2});
      host.save(2, place);
      decoder.moveBlocks(new int[] {1}, new int[] {2});
      host.save(2, other);
      host.load(place, 3);
      decoder.moveBlocks(new int[] {3}, new int[] {4});
      host.load(other, 3);
      assertThat(contents(4)).isEqualTo(filled(17));
      assertThat(contents(3)).isEqualTo(filled(18));
      assertThat(contents(2)).isEqualTo(filled(18));
    }

    @Test
    void copiesEndWithoutAnybodyWaiting() {
      int place = place();
      HostBlocks host = decoder.hostBlocks();
      host.save(0, place);
      host.load(place, 1);
      assertThat(host.arriving(0)).as("it only goes").isFalse();
      long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
      while (host.underWay() > 0) {
        assertThat(System.nanoTime()).isLessThan(end);
      }
      assertThat(host.arriving(1)).isFalse();
    }

    /// A sequence whose blocks go out, are overwritten by another's steps, and come back elsewhere
    /// while its next row is submitted already.
    @Test
    void rowsAreTheSameAfterBlocksWentOutAndCameBack() {
      int[] tokens = new SplittableRandom(3).ints(90, 3, 250).toArray();
      int[] others = new SplittableRandom(4).ints(90, 3, 250).toArray();
      int blocks = decoder.kvLayout().blocksFor(tokens.length);
      int[] first = IntStream.range(0, blocks).toArray();
      int[] second = IntStream.range(blocks, 2 * blocks).toArray();
      float[][] expected = forward(tokens, 0, first);
      HostBlocks host = decoder.hostBlocks();
      for (int round = 0; round < 3; round++) {
        forward(Arrays.copyOf(tokens, 80), 0, first);
        var places = new ArrayList<Integer>();
        for (int block : first) {
          int place = place();
          host.save(block, place);
          places.add(place);
        }
        float[][] beside = forward(others, 0, first);
        for (int i = 0; i < blocks; i++) {
          host.load(places.get(i), second[i]);
          host.release(places.get(i));
        }
        float[][] rest = forward(Arrays.copyOfRange(tokens, 80, 90), 80, second);
        assertThat(rest).isDeepEqualTo(Arrays.copyOfRange(expected, 80, 90));
        assertThat(forward(others, 0, second)).isDeepEqualTo(beside);
      }
    }

    private float[][] forward(int[] tokens, int position, int[] blocks) {
      var entry =
          new StepBatch.Entry(
              tokens, position, blocks, List.of(), true, StepBatch.Entry.NO_ADAPTER);
      return decoder.forward(new StepBatch(List.of(entry))).await().entries().getFirst().logits();
    }

    @Test
    void thereAreNoMorePlacesThanFitAndDecodersShareThem() {
      HostBlocks host = decoder.hostBlocks();
      assertThat(host.capacityBytes()).isEqualTo(SLABS * SLAB);
      int most = SLABS * Math.toIntExact(SLAB / blockBytes());
      var places = new ArrayList<Integer>();
      for (int i = 0; i < most; i++) {
        assertThat(host.full()).isFalse();
        places.add(place());
      }
      assertThat(places).doesNotHaveDuplicates();
      assertThat(host.full()).isTrue();
      assertThat(host.tryTake()).isEqualTo(HostBlocks.NO_PLACE);
      try (var neighbour = compile()) {
        HostBlocks other = neighbour.hostBlocks();
        assertThat(other.full()).isTrue();
        assertThat(other.tryTake()).isEqualTo(HostBlocks.NO_PLACE);
        fill(0, 17);
        host.save(0, places.getFirst());
        places.forEach(host::release);
        // The slab whose copy is under way is given back when that has ended.
        long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (host.underWay() > 0) {
          assertThat(System.nanoTime()).isLessThan(end);
        }
        for (int i = 0; i < most; i++) {
          assertThat(other.tryTake()).isNotNegative();
        }
        assertThat(host.tryTake()).isEqualTo(HostBlocks.NO_PLACE);
      }
      assertThat(host.tryTake()).isNotNegative();
    }
  }
}
