package dev.weft.runtime.engine;

import dev.weft.runtime.memory.SwapFile;
import dev.weft.runtime.memory.SwapSpace;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A bounded number of buffers, of one block each, and their ways to slots of a swap file and back.
/// One thread uses it; the swap's own thread does what waits for the disk.
final class SwapTransfers implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SwapTransfers.class);

  /// Memory of all buffers, where blocks are not so large that fewer than the least fit.
  private static final long BUFFER_BYTES = 16L << 20;

  private static final int LEAST_BUFFERS = 4;
  private static final int MOST_BUFFERS = 64;

  private final SwapSpace space;
  private final SwapFile file;
  private final LongSupplier clock;
  private final long blockBytes;
  private final int most;
  private final Arena arena = Arena.ofShared();
  private final ArrayDeque<MemorySegment> unused = new ArrayDeque<>();
  private int allocated;

  /// Slots whose contents are in a buffer, or on the way to or from one; the oldest first.
  private final Map<Integer, Transfer> staged = new LinkedHashMap<>();

  /// Transfers under way, in their order; those of released slots as well.
  private final ArrayDeque<Transfer> pending = new ArrayDeque<>();

  /// One buffer's way to its slot, or from there.
  final class Transfer implements Runnable {
    private final int slot;
    private final MemorySegment buffer;
    private final boolean writes;
    private final CountDownLatch ended = new CountDownLatch(1);

    // Published by the latch.
    private @Nullable Exception failure;
    private long nanos;

    private Transfer(int slot, MemorySegment buffer, boolean writes) {
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

    int slot() {
      return slot;
    }

    MemorySegment buffer() {
      return buffer;
    }

    boolean writes() {
      return writes;
    }

    private boolean ended() {
      return ended.getCount() == 0;
    }

    /// Whether nothing more will happen to the buffer that holds the contents, or should.
    boolean filled() {
      return writes || ended();
    }

    Optional<Exception> failure() {
      return ended() ? Optional.ofNullable(failure) : Optional.empty();
    }

    long nanos() {
      return nanos;
    }
  }

  SwapTransfers(SwapSpace space, SwapFile file, long blockBytes, LongSupplier clock) {
    this.space = space;
    this.file = file;
    this.blockBytes = blockBytes;
    this.clock = clock;
    most = Math.clamp(BUFFER_BYTES / blockBytes, LEAST_BUFFERS, MOST_BUFFERS);
  }

  /// Whether more than half of the buffers are unused: what is not urgent leaves the rest to what
  /// is.
  boolean mostlyUnused() {
    return 2 * free() > most;
  }

  /// Whether more than three in four are.
  boolean hardlyUsed() {
    return 4 * free() > 3 * most;
  }

  private int free() {
    return most - allocated + unused.size();
  }

  /// Whether there is a buffer to take: not while all are on their way to or from the disk.
  boolean available() {
    return free() > 0 || staged.values().stream().anyMatch(each -> !pending.contains(each));
  }

  /// A buffer that nobody waits for.
  MemorySegment take() {
    if (!unused.isEmpty()) {
      return unused.pop();
    }
    if (allocated < most) {
      allocated++;
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
    throw new IllegalStateException("all %d buffers are under way".formatted(most));
  }

  /// Takes a buffer back that went nowhere.
  void putBack(MemorySegment buffer) {
    unused.push(buffer);
  }

  void write(int slot, MemorySegment buffer) {
    start(new Transfer(slot, buffer, true));
  }

  void read(int slot, MemorySegment buffer) {
    start(new Transfer(slot, buffer, false));
  }

  private void start(Transfer transfer) {
    staged.put(transfer.slot, transfer);
    pending.add(transfer);
    space.execute(transfer);
  }

  /// The way of a slot's contents, if they are in a buffer or go to one.
  Optional<Transfer> of(int slot) {
    return Optional.ofNullable(staged.get(slot));
  }

  /// Forgets a slot.
  void drop(int slot) {
    Transfer transfer = staged.remove(slot);
    if (transfer != null && !pending.contains(transfer)) {
      unused.push(transfer.buffer);
    }
  }

  /// Tells of transfers that have ended since the last time, and gets buffers back.
  ///
  /// @param ended hears of each; those of slots that were forgotten meanwhile as well
  /// @param failed hears of slots that could not be written
  void poll(Consumer<Transfer> ended, Consumer<Integer> failed) {
    while (!pending.isEmpty() && pending.getFirst().ended()) {
      Transfer first = pending.removeFirst();
      ended.accept(first);
      boolean wanted = first.equals(staged.get(first.slot));
      if (wanted && !first.writes) {
        continue;
      }
      if (wanted) {
        staged.remove(first.slot);
        if (first.failure != null) {
          failed.accept(first.slot);
        }
      }
      unused.push(first.buffer);
    }
  }

  /// Waits until something that is under way has ended, if anything is. Returns whether it was.
  boolean await(Duration longest) {
    Transfer first = pending.peekFirst();
    if (first == null) {
      return false;
    }
    try {
      // Ending early is harmless: whoever waits looks again.
      boolean _ = first.ended.await(longest.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      log.atWarn().log("the device's thread was interrupted and goes on");
    }
    return true;
  }

  /// The swap's thread lets go of the buffers when it has done what it was asked for.
  @Override
  public void close() {
    space.execute(arena::close);
  }
}
