package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.StepBatch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/// A `struct weft_step` and its arrays, written anew for each step: filling it allocates nothing.
final class StepBuffer {
  private static final int FIELDS = 14;
  private static final long ROWS = 0;
  private static final long SEQUENCES = 8;
  private static final long LOGIT_ROWS = 16;
  private static final long LOGITS = 72;
  private static final long ADAPTERS = 88;
  private static final long WORKERS = 96;
  private static final long SCRATCH = 104;

  private final KvLayout kvLayout;
  private final MemorySegment tokens;
  private final MemorySegment positions;
  private final MemorySegment rowOffsets;
  private final MemorySegment blocks;
  private final MemorySegment blockOffsets;
  private final MemorySegment logitRows;
  private final MemorySegment largest;
  private final MemorySegment sequenceAdapters;
  private final MemorySegment struct;

  StepBuffer(CompileOptions options, KvLayout kvLayout, Arena arena) {
    this.kvLayout = kvLayout;
    int sequences = options.maxSequences();
    tokens = arena.allocate(JAVA_INT, options.maxBatchTokens());
    positions = arena.allocate(JAVA_INT, options.maxBatchTokens());
    rowOffsets = arena.allocate(JAVA_INT, sequences + 1L);
    blocks =
        arena.allocate(JAVA_INT, (long) sequences * kvLayout.blocksFor(options.contextLength()));
    blockOffsets = arena.allocate(JAVA_INT, sequences + 1L);
    logitRows = arena.allocate(JAVA_INT, options.maxBatchTokens());
    largest = arena.allocate(JAVA_INT, options.maxBatchTokens());
    sequenceAdapters = arena.allocate(ADDRESS, sequences);
    struct =
        new StructWriter(arena, FIELDS)
            .integers(0, 0, 0)
            .address(tokens)
            .address(positions)
            .address(rowOffsets)
            .address(blocks)
            .address(blockOffsets)
            .address(logitRows)
            .address(MemorySegment.NULL)
            .address(largest)
            .address(MemorySegment.NULL)
            .integers(1, 0)
            .done();
  }

  /// Describes a batch whose entries are within the bounds of the options; its logits go to
  /// `logits`.
  ///
  /// @param adapters by handle, those of the batch among them
  MemorySegment fill(StepBatch batch, Map<Integer, NativeAdapter> adapters, MemorySegment logits) {
    int row = 0;
    int sequence = 0;
    int block = 0;
    int logitRow = 0;
    boolean adapted = false;
    for (StepBatch.Entry entry : batch.entries()) {
      int[] own = entry.tokens();
      int needed = kvLayout.blocksFor(entry.position() + own.length);
      MemorySegment.copy(own, 0, tokens, JAVA_INT, row * 4L, own.length);
      MemorySegment.copy(entry.blocks(), 0, blocks, JAVA_INT, block * 4L, needed);
      for (int i = 0; i < own.length; i++) {
        positions.setAtIndex(JAVA_INT, row + i, entry.position() + i);
      }
      row += own.length;
      block += needed;
      for (int i = entry.logitRows(); i > 0; i--) {
        logitRows.setAtIndex(JAVA_INT, logitRow++, row - i);
      }
      NativeAdapter adapter =
          entry.adapter() == StepBatch.Entry.NO_ADAPTER ? null : adapters.get(entry.adapter());
      sequenceAdapters.setAtIndex(
          ADDRESS, sequence, adapter == null ? MemorySegment.NULL : adapter.address());
      adapted |= adapter != null;
      sequence++;
      rowOffsets.setAtIndex(JAVA_INT, sequence, row);
      blockOffsets.setAtIndex(JAVA_INT, sequence, block);
    }
    struct.set(JAVA_LONG, ROWS, row);
    struct.set(JAVA_LONG, SEQUENCES, sequence);
    struct.set(JAVA_LONG, LOGIT_ROWS, logitRow);
    struct.set(ADDRESS, LOGITS, logits);
    struct.set(ADDRESS, ADAPTERS, adapted ? sequenceAdapters : MemorySegment.NULL);
    return struct;
  }

  /// Where the step computes.
  void setScratch(long address) {
    struct.set(JAVA_LONG, SCRATCH, address);
  }

  /// How many workers take the step: 1 up to the device's threads.
  void setWorkers(int workers) {
    struct.set(JAVA_LONG, WORKERS, workers);
  }

  /// The token with the largest logit of a logit row, after the step.
  int largest(int logitRow) {
    return largest.getAtIndex(JAVA_INT, logitRow);
  }
}
