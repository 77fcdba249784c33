package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.TextBatch;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import dev.weft.runtime.model.EncoderSpec;
import java.lang.foreign.MemorySegment;

/// What kernels are told about a pass: of each row its token, position, type and text; of each text
/// its first row, its length and its blocks; which rows are attended to together. Written in pinned
/// memory, and copied to the device in one go.
final class EncoderTables implements AutoCloseable {
  private final PinnedBuffer pinned;
  private final DeviceBuffer device;
  private final long positions;
  private final long types;
  private final long texts;
  private final long firstRows;
  private final long lengths;
  private final long firstBlocks;
  private final long tiles;
  private final long blocks;
  private int tileCount;
  private long end;

  EncoderTables(CudaContext context, EncoderSpec spec, CompileOptions options) {
    int mostRows = TextBatch.mostRows(spec, options);
    int mostTexts = Math.min(mostRows, options.maxSequences());
    long rows = (long) mostRows * Integer.BYTES;
    long each = (mostTexts + 1L) * Integer.BYTES;
    positions = rows;
    types = 2 * rows;
    texts = 3 * rows;
    firstRows = 4 * rows;
    lengths = firstRows + each;
    firstBlocks = lengths + each;
    tiles = firstBlocks + each;
    // Of each text, all tiles but the last are full.
    long mostTiles = (long) mostRows / AttentionWork.tileTokens(1) + mostTexts;
    blocks = Math.ceilDiv(tiles + 2 * mostTiles * Integer.BYTES, 16L) * 16L;
    long bytes = blocks + EncoderScratch.mostBlocks(mostRows, mostTexts) * (long) Long.BYTES;
    pinned = new PinnedBuffer(context, bytes);
    try {
      device = new DeviceBuffer(context, bytes);
    } catch (RuntimeException e) {
      pinned.close();
      throw e;
    }
  }

  /// Describes texts that are within the bounds of the options.
  ///
  /// @param keysValues where the first block lies
  /// @param blockBytes from a block to the next
  void fill(TextBatch batch, long keysValues, long blockBytes) {
    MemorySegment to = pinned.segment();
    tileCount = 0;
    int block = 0;
    for (int text = 0; text < batch.textCount(); text++) {
      int first = batch.offsets()[text];
      int length = batch.length(text);
      to.set(JAVA_INT, firstRows + text * 4L, first);
      to.set(JAVA_INT, lengths + text * 4L, length);
      to.set(JAVA_INT, firstBlocks + text * 4L, block);
      for (int i = 0; i < length; i++) {
        long row = (first + i) * 4L;
        to.set(JAVA_INT, row, batch.tokens()[first + i]);
        to.set(JAVA_INT, positions + row, i);
        to.set(JAVA_INT, types + row, 0);
        to.set(JAVA_INT, texts + row, text);
      }
      divide(to, first, length);
      for (int i = EncoderScratch.blocksFor(length); i > 0; i--, block++) {
        to.set(JAVA_LONG, blocks + block * 8L, keysValues + block * blockBytes);
      }
    }
    to.set(JAVA_INT, firstRows + batch.textCount() * 4L, batch.rowCount());
    end = blocks + block * 8L;
  }

  /// A text's rows into tiles.
  private void divide(MemorySegment to, int first, int length) {
    int most = AttentionWork.tileTokens(1);
    for (int i = 0; i < length; i += most, tileCount++) {
      to.set(JAVA_INT, tiles + tileCount * 8L, first + i);
      to.set(JAVA_INT, tiles + tileCount * 8L + 4, Math.min(most, length - i));
    }
  }

  /// Copies it; the tables must not be filled again before that is done.
  void copy(CudaStream stream) {
    stream.copyToDevice(pinned.segment().asSlice(0, end), device.address());
  }

  int tileCount() {
    return tileCount;
  }

  long tokens() {
    return device.address();
  }

  long positions() {
    return device.address() + positions;
  }

  long types() {
    return device.address() + types;
  }

  /// Of each text, and behind the last one the number of all rows.
  long firstRows() {
    return device.address() + firstRows;
  }

  long lengths() {
    return device.address() + lengths;
  }

  long tiles() {
    return device.address() + tiles;
  }

  /// Where kernels find keys and values of rows.
  CacheTables cache(EncoderSpec spec) {
    return new CacheTables(
        positions(),
        device.address() + texts,
        device.address() + firstBlocks,
        device.address() + blocks,
        0,
        spec.headCount(),
        spec.headSize(),
        EncoderScratch.BLOCK_TOKENS,
        spec.headSize() * Short.BYTES,
        0);
  }

  @Override
  public void close() {
    device.close();
    pinned.close();
  }
}
