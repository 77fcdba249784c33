package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import dev.weft.runtime.model.DecoderSpec;
import java.lang.foreign.MemorySegment;

/// What kernels are told about a step: of each row its token, position and sequence; of each
/// sequence its blocks; which rows need logits; which are attended to alone, and which in tiles;
/// and which have the same adapter. Written in pinned memory, and copied to the device in one go;
/// each array is at the same place in every step.
final class StepTables implements AutoCloseable {
  private final GpuKvLayout layout;
  private final long kvAddress;
  private final PinnedBuffer pinned;
  private final DeviceBuffer device;

  /// Stands behind the copies from pinned memory.
  private final CudaEvent copied;

  private final long positions;
  private final long sequences;
  private final long logitRows;
  private final long singles;
  private final long tiles;
  private final long firstBlocks;
  private final long blocks;
  private final long runs;
  private final int tileTokens;
  private int rowCount;
  private int logitRowCount;
  private int singleCount;
  private int tileCount;
  private int longest;
  private long end;

  /// @param kvAddress where the first block lies
  /// @param tileTokens of a tile at most
  StepTables(
      CudaContext context,
      CompileOptions options,
      GpuKvLayout layout,
      long kvAddress,
      int tileTokens) {
    this.layout = layout;
    this.tileTokens = tileTokens;
    this.kvAddress = kvAddress;
    long rows = (long) options.maxBatchTokens() * Integer.BYTES;
    positions = rows;
    sequences = 2 * rows;
    logitRows = 3 * rows;
    singles = 4 * rows;
    tiles = 5 * rows;
    firstBlocks = 7 * rows;
    blocks = Math.ceilDiv(firstBlocks + (long) options.maxSequences() * Integer.BYTES, 16L) * 16L;
    long most = (long) options.maxSequences() * layout.layout().blocksFor(options.contextLength());
    runs = Math.ceilDiv(blocks + most * Long.BYTES, 16L) * 16L;
    long bytes = runs + GpuAdapters.mostRunBytes(options.maxBatchTokens());
    pinned = new PinnedBuffer(context, bytes);
    try {
      device = new DeviceBuffer(context, bytes);
      try {
        copied = CudaEvent.mark(context);
      } catch (RuntimeException e) {
        device.close();
        throw e;
      }
    } catch (RuntimeException e) {
      pinned.close();
      throw e;
    }
  }

  /// Describes a batch whose entries are within the bounds of the options. Waits until the step
  /// before has begun: only then has what describes that one been copied.
  void fill(StepBatch batch) {
    copied.await();
    MemorySegment to = pinned.segment();
    rowCount = 0;
    logitRowCount = 0;
    singleCount = 0;
    tileCount = 0;
    longest = 0;
    int sequence = 0;
    int block = 0;
    for (StepBatch.Entry entry : batch.entries()) {
      int[] tokens = entry.tokens();
      divide(to, tokens.length);
      to.set(JAVA_INT, firstBlocks + sequence * 4L, block);
      for (int i = 0; i < tokens.length; i++, rowCount++) {
        to.set(JAVA_INT, rowCount * 4L, tokens[i]);
        to.set(JAVA_INT, positions + rowCount * 4L, entry.position() + i);
        to.set(JAVA_INT, sequences + rowCount * 4L, sequence);
      }
      int length = entry.position() + tokens.length;
      int needed = layout.layout().blocksFor(length);
      for (int i = 0; i < needed; i++, block++) {
        to.set(JAVA_LONG, blocks + block * 8L, address(entry.blocks()[i]));
      }
      for (int i = entry.logitRows(); i > 0; i--) {
        to.set(JAVA_INT, logitRows + logitRowCount++ * 4L, rowCount - i);
      }
      longest = Math.max(longest, length);
      sequence++;
    }
    end = blocks + block * 8L;
  }

  /// Says how the next rows, a sequence's, are attended to.
  private void divide(MemorySegment to, int rows) {
    if (rows < AttentionWork.LEAST_TILE_TOKENS) {
      for (int i = 0; i < rows; i++) {
        to.set(JAVA_INT, singles + singleCount++ * 4L, rowCount + i);
      }
      return;
    }
    for (int i = 0; i < rows; i += tileTokens, tileCount++) {
      to.set(JAVA_INT, tiles + tileCount * 8L, rowCount + i);
      to.set(JAVA_INT, tiles + tileCount * 8L + 4, Math.min(tileTokens, rows - i));
    }
  }

  /// Where a block of the cache begins.
  long address(int block) {
    return kvAddress + layout.offset(block);
  }

  /// Copies it, with so many bytes of runs.
  void copy(CudaStream stream, long runBytes) {
    stream.copyToDevice(pinned.segment().asSlice(0, end), device.address());
    stream.copyToDevice(pinned.segment().asSlice(runs, runBytes), runs());
    copied.record(stream);
  }

  /// Where runs of rows with adapters are to be written.
  MemorySegment runsOnHost() {
    return pinned.segment().asSlice(runs);
  }

  int rowCount() {
    return rowCount;
  }

  int logitRowCount() {
    return logitRowCount;
  }

  int singleCount() {
    return singleCount;
  }

  int tileCount() {
    return tileCount;
  }

  /// Tokens of the longest sequence.
  int longest() {
    return longest;
  }

  long tokens() {
    return device.address();
  }

  long positions() {
    return device.address() + positions;
  }

  long logitRows() {
    return device.address() + logitRows;
  }

  long singles() {
    return device.address() + singles;
  }

  long tiles() {
    return device.address() + tiles;
  }

  /// Where runs of rows with adapters lie.
  long runs() {
    return device.address() + runs;
  }

  /// Where kernels find a layer's keys and values.
  CacheTables cache(DecoderSpec spec) {
    return new CacheTables(
        positions(),
        device.address() + sequences,
        device.address() + firstBlocks,
        device.address() + blocks,
        layout.layerBytes(),
        spec.kvHeadCount(),
        spec.headSize(),
        layout.layout().blockTokens(),
        layout.tokenBytes(),
        layout.scales(spec));
  }

  @Override
  public void close() {
    copied.close();
    device.close();
    pinned.close();
  }
}
