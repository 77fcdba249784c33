package dev.weft.runtime.transfer;

import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.transfer.KvTransferException.Reason;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.zip.CRC32C;

/// What stands before the keys and values; its bytes are described in the package.
///
/// @param model 64 hexadecimal digits that differ wherever the same tokens might have other keys
///   and values
/// @param first the token whose keys and values come first
/// @param tokens of the text, up to the last whose keys and values follow
@SuppressWarnings("ArrayRecordComponent")
public record KvHeader(
    String model,
    KvElement element,
    int layers,
    int kvHeads,
    int headSize,
    int first,
    int[] tokens) {
  static final int VERSION = 1;

  /// No context is longer, and no header needs more memory.
  private static final int MOST_TOKENS = 8 << 20;

  private static final byte[] MAGIC = "WEFTKV".getBytes(StandardCharsets.US_ASCII);
  private static final int MODEL_BYTES = 32;
  private static final int FIXED_BYTES = MODEL_BYTES + 6 * Integer.BYTES;

  public KvHeader {
    if (model.length() != 2 * MODEL_BYTES || tokens.length > MOST_TOKENS) {
      throw new IllegalArgumentException("%d tokens of model '%s'".formatted(tokens.length, model));
    }
    if (first < 0 || first > tokens.length) {
      throw new IllegalArgumentException("from token %d of %d".formatted(first, tokens.length));
    }
  }

  /// Of tokens of a decoder.
  public static KvHeader of(String model, KvFormat format, int first, int[] tokens) {
    return new KvHeader(
        model,
        format.element(),
        format.layers(),
        format.kvHeads(),
        format.headSize(),
        first,
        tokens);
  }

  public byte[] toBytes() {
    int rest = FIXED_BYTES + (tokens.length + 1) * Integer.BYTES;
    ByteBuffer bytes = ByteBuffer.allocate(MAGIC.length + Short.BYTES + Integer.BYTES + rest);
    bytes.order(ByteOrder.LITTLE_ENDIAN).put(MAGIC).putShort((short) VERSION).putInt(rest);
    bytes.put(HexFormat.of().parseHex(model));
    bytes.putInt(element.code()).putInt(layers).putInt(kvHeads).putInt(headSize);
    bytes.putInt(first).putInt(tokens.length);
    for (int token : tokens) {
      bytes.putInt(token);
    }
    return bytes.putInt(checksum(bytes.array(), bytes.position())).array();
  }

  private static int checksum(byte[] bytes, int count) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, 0, count);
    return (int) checksum.getValue();
  }

  /// Reads what [#toBytes] wrote.
  static KvHeader read(DataInputStream in) throws IOException {
    byte[] start = new byte[MAGIC.length + Short.BYTES + Integer.BYTES];
    fill(in, start, 0);
    ByteBuffer bytes = ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN);
    if (!Arrays.equals(start, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw new KvTransferException(Reason.FORMAT, "these are no keys and values");
    }
    int version = bytes.getShort(MAGIC.length);
    if (version != VERSION) {
      throw new KvTransferException(
          Reason.FORMAT, "version %d of the format, not %d".formatted(version, VERSION));
    }
    int rest = bytes.getInt(MAGIC.length + Short.BYTES);
    int most = FIXED_BYTES + (MOST_TOKENS + 1) * Integer.BYTES;
    if (rest < FIXED_BYTES + Integer.BYTES || rest > most) {
      throw new KvTransferException(Reason.FORMAT, "a header of %d bytes".formatted(rest));
    }
    byte[] all = Arrays.copyOf(start, start.length + rest);
    fill(in, all, start.length);
    return parse(all, start.length);
  }

  private static void fill(DataInputStream in, byte[] bytes, int from) throws IOException {
    try {
      in.readFully(bytes, from, bytes.length - from);
    } catch (EOFException e) {
      throw new KvTransferException(Reason.TRUNCATED, "they ended within their header");
    }
  }

  private static KvHeader parse(byte[] all, int start) throws KvTransferException {
    ByteBuffer bytes = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).position(start);
    int end = all.length - Integer.BYTES;
    if (bytes.getInt(end) != checksum(all, end)) {
      throw new KvTransferException(Reason.CORRUPT, "the checksum of their header is wrong");
    }
    byte[] model = new byte[MODEL_BYTES];
    bytes.get(model);
    Optional<KvElement> element = KvElement.ofCode(bytes.getInt());
    int layers = bytes.getInt();
    int kvHeads = bytes.getInt();
    int headSize = bytes.getInt();
    int first = bytes.getInt();
    int count = bytes.getInt();
    if (element.isEmpty()
        || count != bytes.remaining() / Integer.BYTES - 1
        || first < 0
        || first > count) {
      throw new KvTransferException(Reason.FORMAT, "their header contradicts itself");
    }
    int[] tokens = new int[count];
    for (int i = 0; i < count; i++) {
      tokens[i] = bytes.getInt();
    }
    return new KvHeader(
        HexFormat.of().formatHex(model), element.get(), layers, kvHeads, headSize, first, tokens);
  }

  /// Throws unless these are keys and values of the same model, in the same shape.
  void requireOf(String otherModel, KvFormat format) throws KvTransferException {
    if (!model.equals(otherModel)) {
      throw new KvTransferException(
          Reason.MODEL, "another model, or another kind of device, computed them");
    }
    if (element != format.element()
        || layers != format.layers()
        || kvHeads != format.kvHeads()
        || headSize != format.headSize()) {
      throw new KvTransferException(
          Reason.SHAPE,
          "%d layers of %d heads of %d %s, not %d of %d of %d %s"
              .formatted(
                  layers,
                  kvHeads,
                  headSize,
                  element,
                  format.layers(),
                  format.kvHeads(),
                  format.headSize(),
                  format.element()));
    }
  }
}
