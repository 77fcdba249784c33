package dev.weft.runtime.engine;

import dev.weft.autoscaler.memory.SloBuffer;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.memory.BlockStore;
import dev.weft.runtime.memory.SwapFile;
import dev.weft.runtime.memory.SwapSpace;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Contents of a decoder's KV blocks in a file, while their blocks serve others.
///
/// ```
///   device's thread    block --copy--> buffer                       buffer --copy--> block
///   swap's thread                      buffer --write--> slot ... slot --read--> buffer
/// ```
///
/// The device's thread only copies: a block is free for others when its copy is made, and comes
/// back when somebody has read it. When all buffers wait for the disk, nothing more is saved.
///
/// A block goes there only when bringing it back costs less than computing it again would, and up
/// to a size that follows what callers were promised ([SloBuffer]). What fails is counted and
/// computed again.
final class SwapStore implements BlockStore, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SwapStore.class);

  /// Bytes a second that a file is taken to give before that is measured.
  private static final double GUESSED_BYTES_PER_SECOND = 500e6;

  private static final double WEIGHT = 0.2;

  /// Of the blocks that cost more to bring back than to compute, one of so many is saved all the
  /// same: nothing else would tell when the disk is fast again.
  private static final int PROBE = 64;

  /// Memory of all buffers, where blocks are not so large that fewer than the least fit.
  private static final long BUFFER_BYTES = 16L << 20;

  private static final int LEAST_BUFFERS = 4;

  /// The smallest part of the space that broken promises leave.
  private static final int LEAST_PART = 64;

  private final DecoderExecutable executable;
  private final SwapSpace space;
  private final SwapFile file;
  private final RecomputeCost recompute;
  private final Listener listener;
  private final LongSupplier clock;
  private final long blockBytes;
  private final int mostBuffers;
  private final Arena arena = Arena.ofShared();
  private final ArrayDeque<MemorySegment> freeBuffers = new ArrayDeque<>();
  private int buffers;

  /// Slots whose contents are in a buffer, or on the way to or from one; the oldest first.
  private final Map<Integer, Transfer> staged = new LinkedHashMap<>();

  /// Transfers under way, in their order; those of released slots as well.
  private final ArrayDeque<Transfer> pending = new ArrayDeque<>();

  /// Slots that could not be written.
  private final Set<Integer> broken = new HashSet<>();

  private SloBuffer size;
  private double moveNanos;
  private int refused;
  private boolean warned;

  /// What computing a block again is expected to cost.
  @FunctionalInterface
  interface RecomputeCost {
    double nanos(int firstToken, int tokens);
  }

  /// Hears of bytes that were written and read, and of failures, on the device's thread. What came
  /// back before it was written was not read.
  interface Listener {
    void out(long bytes);

    void in(long bytes);

    void failed();

    /// The most that may be saved has changed.
    void resized(long bytes);
  }

  /// One buffer's way to its slot, or from there.
  private final class Transfer implements Runnable {
    private final int slot;
    private final MemorySegment buffer;
    private final boolean writes;
    private final CountDownLatch ended = new CountDownLatch(1);

    // Published by the latch.
    private @Nullable Exception failure;
    private long nanos;

    Transfer(int slot, MemorySegment buffer, boolean writes) {
      this.slot = slot;
      this.buffer = buffer;
      this.writes = writes;
    }

    @Override
    public void run() {
      long start = clock.getAsLong();
      try {
        if (writes) {
          file.write(slot, buffer.asByteBuffer());
        } else {
          file.read(slot, buffer.asByteBuffer());
        }
      } catch (IOException | RuntimeException e) {
        failure = e;
      }
      nanos = clock.getAsLong() - start;
      ended.countDown();
    }

    boolean ended() {
      return ended.getCount() == 0;
    }

    void await(Duration most) {
      try {
        // Ending early is harmless: whoever waits looks again.
        boolean _ = ended.await(most.toNanos(), TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        log.atWarn().log("the device's thread was interrupted and goes on");
      }
    }

    /// Whether the buffer holds the contents.
    boolean filled() {
      return writes || ended();
    }
  }

  SwapStore(
      DecoderExecutable executable,
      SwapSpace space,
      RecomputeCost recompute,
      Listener listener,
      LongSupplier clock) {
    this.executable = executable;
    this.space = space;
    this.recompute = recompute;
    this.listener = listener;
    this.clock = clock;
    blockBytes = executable.kvLayout().blockBytes();
    mostBuffers = (int) Math.max(LEAST_BUFFERS, Math.min(64, BUFFER_BYTES / blockBytes));
    file = space.file(blockBytes);
    size =
        SloBuffer.of(
            Math.min(space.capacity(), Math.max(1, space.capacity() / LEAST_PART)),
            space.capacity());
    moveNanos = blockBytes / GUESSED_BYTES_PER_SECOND * 1e9;
  }

  @Override
  public int save(int block, int index) {
    poll();
    if ((file.usedCount() + 1) * blockBytes > size.bytes() || !pays(index)) {
      return NOT_SAVED;
    }
    MemorySegment buffer = takeBuffer();
    if (buffer == null) {
      return NOT_SAVED;
    }
    int slot = file.tryTake();
    if (slot < 0) {
      freeBuffers.push(buffer);
      return NOT_SAVED;
    }
    try {
      executable.saveBlocks(new int[] {block}, buffer);
    } catch (RuntimeException e) {
      file.release(slot);
      freeBuffers.push(buffer);
      failed(e);
      return NOT_SAVED;
    }
    start(new Transfer(slot, buffer, true));
    return slot;
  }

  /// Out and in again, against computing the block's tokens.
  private boolean pays(int index) {
    int tokens = executable.kvLayout().blockTokens();
    if (2 * moveNanos < recompute.nanos(index * tokens, tokens)) {
      return true;
    }
    return ++refused % PROBE == 0;
  }

  private void start(Transfer transfer) {
    staged.put(transfer.slot, transfer);
    pending.add(transfer);
    space.execute(transfer);
  }

  /// A buffer that nobody waits for; null while all are on their way to or from the disk.
  private @Nullable MemorySegment takeBuffer() {
    if (!freeBuffers.isEmpty()) {
      return freeBuffers.pop();
    }
    if (buffers < mostBuffers) {
      buffers++;
      return arena.allocate(blockBytes, 64);
    }
    for (Iterator<Transfer> all = staged.values().iterator(); all.hasNext(); ) {
      Transfer oldest = all.next();
      if (!pending.contains(oldest)) {
        // It was read and not wanted yet; it can be read again.
        all.remove();
        return oldest.buffer;
      }
    }
    return null;
  }

  @Override
  public boolean ready(int slot) {
    poll();
    if (broken.contains(slot)) {
      return true;
    }
    Transfer transfer = staged.get(slot);
    if (transfer != null) {
      return transfer.filled();
    }
    MemorySegment buffer = takeBuffer();
    if (buffer != null) {
      start(new Transfer(slot, buffer, false));
    }
    return false;
  }

  @Override
  public boolean load(int slot, int block) {
    while (!ready(slot)) {
      await(Duration.ofMillis(1));
    }
    poll();
    Transfer transfer = staged.get(slot);
    boolean whole = transfer != null && bring(transfer, block);
    drop(slot);
    return whole;
  }

  private boolean bring(Transfer transfer, int block) {
    if (transfer.writes) {
      return copy(transfer.buffer, block);
    }
    boolean whole = transfer.failure == null && copy(transfer.buffer, block);
    if (whole) {
      listener.in(blockBytes);
    }
    return whole;
  }

  private boolean copy(MemorySegment buffer, int block) {
    try {
      executable.loadBlocks(new int[] {block}, buffer);
      return true;
    } catch (RuntimeException e) {
      failed(e);
      return false;
    }
  }

  /// Waits until something that is under way has ended, if anything is.
  void await(Duration most) {
    Transfer first = pending.peekFirst();
    if (first != null) {
      first.await(most);
      poll();
    }
  }

  /// Counts what has ended, and gets its buffers back.
  void poll() {
    while (!pending.isEmpty() && pending.getFirst().ended()) {
      Transfer ended = pending.removeFirst();
      if (ended.failure != null) {
        failed(ended.failure);
      } else {
        warned = false;
        moveNanos += WEIGHT * (ended.nanos - moveNanos);
        if (ended.writes) {
          listener.out(blockBytes);
        }
      }
      boolean wanted = ended.equals(staged.get(ended.slot));
      if (wanted && !ended.writes) {
        continue;
      }
      if (wanted) {
        staged.remove(ended.slot);
        if (ended.failure != null) {
          broken.add(ended.slot);
        }
      }
      freeBuffers.push(ended.buffer);
    }
  }

  /// Says it once, until something succeeds again: a disk that fails does so for every block.
  private void failed(Exception cause) {
    listener.failed();
    if (!warned) {
      warned = true;
      log.atWarn()
          .addKeyValue("reason", cause.toString())
          .log(
              "KV blocks cannot be saved to the swap file, or not be read; they are computed again");
    }
  }

  @Override
  public void drop(int slot) {
    broken.remove(slot);
    Transfer transfer = staged.remove(slot);
    if (transfer != null && !pending.contains(transfer)) {
      freeBuffers.push(transfer.buffer);
    }
    file.release(slot);
  }

  /// Adapts the size to what a step brought.
  void stepped(boolean slowToken, boolean lateToken) {
    long before = size.bytes();
    size = size.after(slowToken, lateToken);
    if (size.bytes() != before) {
      listener.resized(size.bytes());
    }
  }

  /// The swap's thread lets go of the buffers when it has done what it was asked for.
  @Override
  public void close() {
    poll();
    file.close();
    space.execute(arena::close);
  }
}
