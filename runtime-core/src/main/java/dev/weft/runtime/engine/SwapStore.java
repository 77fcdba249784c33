package dev.weft.runtime.engine;

import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.memory.BlockStore;
import dev.weft.runtime.memory.SwapFile;
import dev.weft.runtime.memory.SwapSpace;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Contents of a decoder's KV blocks in a file, while their blocks serve others. A block goes there
/// only when bringing it back costs less than computing it again would; writing goes to the
/// system's page cache, so that it rarely waits for a disk. What fails is counted and computed
/// again.
final class SwapStore implements BlockStore, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SwapStore.class);

  /// Bytes a second that a file is taken to give before that is measured.
  private static final double GUESSED_BYTES_PER_SECOND = 500e6;

  private static final double WEIGHT = 0.2;

  /// Of the blocks that cost more to bring back than to compute, one of so many is saved all the
  /// same: nothing else would tell when the disk is fast again.
  private static final int PROBE = 64;

  private final DecoderExecutable executable;
  private final SwapFile file;
  private final RecomputeCost recompute;
  private final Listener listener;
  private final LongSupplier clock;
  private final long blockBytes;
  private final Arena arena = Arena.ofShared();
  private MemorySegment buffer = MemorySegment.NULL;
  private double moveNanos;
  private int refused;

  /// What computing a block again is expected to cost.
  @FunctionalInterface
  interface RecomputeCost {
    double nanos(int firstToken, int tokens);
  }

  /// Hears of bytes moved, and of failures.
  interface Listener {
    void out(long bytes);

    void in(long bytes);

    void failed();
  }

  SwapStore(
      DecoderExecutable executable,
      SwapSpace space,
      RecomputeCost recompute,
      Listener listener,
      LongSupplier clock) {
    this.executable = executable;
    this.recompute = recompute;
    this.listener = listener;
    this.clock = clock;
    blockBytes = executable.kvLayout().blockBytes();
    file = space.file(blockBytes);
    moveNanos = blockBytes / GUESSED_BYTES_PER_SECOND * 1e9;
  }

  @Override
  public int save(int block, int index) {
    if (!pays(index)) {
      return NOT_SAVED;
    }
    int slot = file.tryTake();
    if (slot < 0) {
      return NOT_SAVED;
    }
    if (buffer.byteSize() == 0) {
      buffer = arena.allocate(blockBytes, 64);
    }
    long start = clock.getAsLong();
    try {
      executable.saveBlocks(new int[] {block}, buffer);
      file.write(slot, buffer.asByteBuffer());
    } catch (IOException | RuntimeException e) {
      file.release(slot);
      failed(e, "a KV block could not be saved and will be computed again");
      return NOT_SAVED;
    }
    moved(clock.getAsLong() - start);
    listener.out(blockBytes);
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

  @Override
  public boolean load(int slot, int block) {
    long start = clock.getAsLong();
    try {
      file.read(slot, buffer.asByteBuffer());
      executable.loadBlocks(new int[] {block}, buffer);
    } catch (IOException | RuntimeException e) {
      failed(e, "a saved KV block could not be read and is computed again");
      return false;
    } finally {
      file.release(slot);
    }
    moved(clock.getAsLong() - start);
    listener.in(blockBytes);
    return true;
  }

  private void moved(long nanos) {
    moveNanos += WEIGHT * (nanos - moveNanos);
  }

  private void failed(Exception cause, String message) {
    listener.failed();
    log.atWarn().setCause(cause).log(message);
  }

  @Override
  public void drop(int slot) {
    file.release(slot);
  }

  @Override
  public void close() {
    file.close();
    arena.close();
  }
}
