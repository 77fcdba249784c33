package dev.weft.runtime.transfer;

import dev.weft.runtime.backend.KvFormat;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Writes keys and values out of blocks, one token after the other. **thread**: one.
public final class KvWriter {
  private final OutputStream out;
  private final KvFormat format;
  private final KvHeader header;
  private final ByteBuffer record;
  private int next;

  /// Writes the header.
  public KvWriter(OutputStream out, KvFormat format, KvHeader header) throws IOException {
    this.out = out;
    this.format = format;
    this.header = header;
    record =
        ByteBuffer.allocate(Math.toIntExact(format.tokenBytes() + Integer.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    next = header.first();
    out.write(header.toBytes());
  }

  /// The token whose keys and values are written next.
  public int next() {
    return next;
  }

  /// Writes those of the next token, the one at `index` of a block's saved bytes.
  public void write(MemorySegment block, int index) throws IOException {
    int bytes = record.capacity() - Integer.BYTES;
    format.take(block, index, MemorySegment.ofArray(record.array()));
    record.putInt(bytes, KvReader.checksum(next, header.tokens()[next], record.array(), bytes));
    out.write(record.array());
    next++;
  }
}
