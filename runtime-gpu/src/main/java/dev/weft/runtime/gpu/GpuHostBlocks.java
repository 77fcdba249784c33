package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.HostBlocks;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import dev.weft.runtime.gpu.memory.PinnedSlabs;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import java.util.function.IntToLongFunction;
import org.jspecify.annotations.Nullable;

/// A decoder's blocks in pinned memory, and their copies, which run beside steps on two streams:
/// one out, one in. All that two of them have in common is ordered by events:
///
/// ```
///   steps    ... write X |mark              wait(1) | writes X       wait(2) | reads Y
///   out                  `-> (1) X to place            ^                         ^
///   in            mark ->  (2) place to Y  ------------|-------------------------'
/// ```
///
/// A copy begins after the steps that were submitted before it, and after the last copy of its
/// block and of its place. A step begins after the last copies of the blocks that it uses, and of
/// no others.
final class GpuHostBlocks implements HostBlocks, AutoCloseable {
  private final GpuDevice device;
  private final PinnedSlabs slabs;
  private final long blockBytes;
  private final IntToLongFunction addresses;
  private final int perSlab;
  private final List<@Nullable Slab> taken = new ArrayList<>();
  private final BitSet free = new BitSet();
  private final Way out;
  private final Way in;

  /// Of each block the last copy, until it has been seen to have ended.
  private final @Nullable Copy[] ofBlock;

  /// @param blockCount that there are addresses for
  /// @param addresses of blocks on the device
  GpuHostBlocks(
      GpuDevice device,
      PinnedSlabs slabs,
      long blockBytes,
      int blockCount,
      IntToLongFunction addresses) {
    this.device = device;
    this.slabs = slabs;
    this.blockBytes = blockBytes;
    this.addresses = addresses;
    perSlab = Math.toIntExact(slabs.slabBytes() / blockBytes);
    ofBlock = new @Nullable Copy[blockCount];
    out = new Way(device.out());
    in = new Way(device.in());
  }

  /// Places of one slab.
  private static final class Slab {
    private final PinnedBuffer buffer;
    private final int index;

    /// Of each place the last copy, until it has been seen to have ended.
    private final @Nullable Copy[] copies;

    private int used;

    private Slab(PinnedBuffer buffer, int index, int places) {
      this.buffer = buffer;
      this.index = index;
      copies = new @Nullable Copy[places];
    }
  }

  private static final class Copy {
    private final boolean loads;
    private final int block;
    private final Slab slab;
    private final int place;
    private final CudaEvent end;

    /// @param place in the slab
    private Copy(boolean loads, int block, Slab slab, int place, CudaEvent end) {
      this.loads = loads;
      this.block = block;
      this.slab = slab;
      this.place = place;
      this.end = end;
    }
  }

  /// A stream with the copies that are not known to have ended, in their order.
  private final class Way {
    private final CudaStream stream;
    private final Deque<Copy> copies = new ArrayDeque<>();

    private Way(CudaStream stream) {
      this.stream = stream;
    }

    private void forgetEnded() {
      while (!copies.isEmpty() && copies.getFirst().end.passed()) {
        forget(copies.removeFirst());
      }
    }
  }

  private void forget(Copy ended) {
    ended.end.close();
    if (ofBlock[ended.block] == ended) {
      ofBlock[ended.block] = null;
    }
    if (ended.slab.copies[ended.place] == ended) {
      ended.slab.copies[ended.place] = null;
      giveBackIfUnused(ended.slab);
    }
  }

  private Slab slabOf(int place) {
    Slab slab = taken.get(place / perSlab);
    if (slab == null) {
      throw new IllegalStateException("place %d is nobody's".formatted(place));
    }
    return slab;
  }

  @Override
  public long capacityBytes() {
    return perSlab == 0 ? 0 : slabs.capacityBytes();
  }

  @Override
  public boolean full() {
    return perSlab == 0 || (free.isEmpty() && slabs.full());
  }

  @Override
  public int tryTake() {
    if (perSlab > 0 && free.isEmpty()) {
      slabs.tryTake().ifPresent(this::add);
    }
    int place = free.nextSetBit(0);
    if (place < 0) {
      return NO_PLACE;
    }
    free.clear(place);
    slabOf(place).used++;
    return place;
  }

  private void add(PinnedBuffer buffer) {
    int index = 0;
    while (index < taken.size() && taken.get(index) != null) {
      index++;
    }
    if (index == taken.size()) {
      taken.add(null);
    }
    taken.set(index, new Slab(buffer, index, perSlab));
    free.set(index * perSlab, (index + 1) * perSlab);
  }

  @Override
  public void release(int place) {
    if (free.get(place)) {
      throw new IllegalStateException("place %d is free".formatted(place));
    }
    Slab slab = slabOf(place);
    slab.used--;
    free.set(place);
    giveBackIfUnused(slab);
  }

  /// Not while something is copied to it or from it.
  private void giveBackIfUnused(Slab slab) {
    if (slab.used > 0) {
      return;
    }
    for (Copy copy : slab.copies) {
      if (copy != null) {
        return;
      }
    }
    taken.set(slab.index, null);
    free.clear(slab.index * perSlab, (slab.index + 1) * perSlab);
    slabs.giveBack(slab.buffer);
  }

  @Override
  public void save(int block, int place) {
    copy(out, block, place, () -> out.stream.copyToHost(addresses.applyAsLong(block), at(place)));
  }

  @Override
  public void load(int place, int block) {
    copy(in, block, place, () -> in.stream.copyToDevice(at(place), addresses.applyAsLong(block)));
  }

  private MemorySegment at(int place) {
    return slabOf(place).buffer.segment().asSlice(place % perSlab * blockBytes, blockBytes);
  }

  private void copy(Way way, int block, int place, Runnable work) {
    Slab slab = slabOf(place);
    int index = place % perSlab;
    device.watched(() -> {
      device.context().bind();
      await(way.stream, ofBlock[block]);
      await(way.stream, slab.copies[index]);
      try (CudaEvent steps = CudaEvent.mark(device.context())) {
        steps.record(device.stream());
        way.stream.waitFor(steps);
      }
      CudaEvent end = CudaEvent.mark(device.context());
      try {
        work.run();
        end.record(way.stream);
      } catch (RuntimeException e) {
        end.close();
        throw e;
      }
      var copy = new Copy(way == in, block, slab, index, end);
      way.copies.add(copy);
      ofBlock[block] = copy;
      slab.copies[index] = copy;
      return copy;
    });
  }

  private static void await(CudaStream stream, @Nullable Copy copy) {
    if (copy != null) {
      stream.waitFor(copy.end);
    }
  }

  private void forgetEnded() {
    if (!out.copies.isEmpty() || !in.copies.isEmpty()) {
      device.watched(() -> {
        device.context().bind();
        out.forgetEnded();
        in.forgetEnded();
        return true;
      });
    }
  }

  @Override
  public int underWay() {
    forgetEnded();
    return out.copies.size() + in.copies.size();
  }

  @Override
  public boolean arriving(int block) {
    forgetEnded();
    Copy last = ofBlock[block];
    return last != null && last.loads;
  }

  /// What is submitted to the steps' stream from now on waits for the copies of this step's blocks.
  void awaitCopies(StepBatch batch) {
    if (underWay() > 0) {
      for (StepBatch.Entry entry : batch.entries()) {
        awaitCopies(entry.blocks());
      }
    }
  }

  /// The same for some blocks.
  void awaitCopies(int[] blocks) {
    for (int block : blocks) {
      await(device.stream(), ofBlock[block]);
    }
  }

  /// Waits for all copies, and gives all places back.
  @Override
  public void close() {
    out.stream.synchronize();
    in.stream.synchronize();
    forgetEnded();
    for (Slab slab : taken) {
      if (slab != null) {
        slabs.giveBack(slab.buffer);
      }
    }
    taken.clear();
    free.clear();
  }
}
