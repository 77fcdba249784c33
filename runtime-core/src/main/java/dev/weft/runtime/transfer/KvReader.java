package dev.weft.runtime.transfer;

import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.transfer.KvTransferException.Reason;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/// Reads what a [KvWriter] wrote into blocks, one token after the other. **thread**: one.
public final class KvReader {
  private final DataInputStream in;
  private final KvFormat format;
  private final KvHeader header;
  private final ByteBuffer record;
  private int next;

  /// Reads the header.
  ///
  /// @param model what must have computed it
  public KvReader(InputStream in, KvFormat format, String model) throws IOException {
    this.in = new DataInputStream(in);
    this.format = format;
    header = KvHeader.read(this.in);
    header.requireOf(model, format);
    record =
        ByteBuffer.allocate(Math.toIntExact(format.tokenBytes() + Integer.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    next = header.first();
  }

  /// The token whose keys and values come next.
  public int next() {
    return next;
  }

  /// How many of `tokens`, from the text's beginning, these are keys and values of.
  public int matching(int[] tokens) {
    int count = Math.min(tokens.length, header.tokens().length);
    for (int i = 0; i < count; i++) {
      if (tokens[i] != header.tokens()[i]) {
        return i;
      }
    }
    return count;
  }

  /// Reads those of the next token to index `index` of a block's saved bytes. Throws
  /// [KvTransferException] when they have not come whole; the block is as it was then.
  public void read(MemorySegment block, int index) throws IOException {
    if (next >= header.tokens().length) {
      throw new KvTransferException(
          Reason.TRUNCATED, "there are keys and values of %d tokens".formatted(next));
    }
    try {
      in.readFully(record.array());
    } catch (EOFException e) {
      throw new KvTransferException(
          Reason.TRUNCATED, "they ended at token %d of %d".formatted(next, header.tokens().length));
    }
    int bytes = record.capacity() - Integer.BYTES;
    if (record.getInt(bytes) != checksum(next, header.tokens()[next], record.array(), bytes)) {
      throw new KvTransferException(
          Reason.CORRUPT, "the checksum of token %d is wrong".formatted(next));
    }
    format.put(MemorySegment.ofArray(record.array()), block, index);
    next++;
  }

  static int checksum(int position, int token, byte[] keysAndValues, int bytes) {
    CRC32C checksum = new CRC32C();
    checksum.update(
        ByteBuffer.allocate(2 * Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(position)
            .putInt(token)
            .flip());
    checksum.update(keysAndValues, 0, bytes);
    return (int) checksum.getValue();
  }
}
