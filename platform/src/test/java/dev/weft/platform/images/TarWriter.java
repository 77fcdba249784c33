package dev.weft.platform.images;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Locale;

/// Writes tar archives (POSIX pax) in which nothing depends on when or by whom they were written:
/// every entry is root's and of the same time.
final class TarWriter implements AutoCloseable {
  private static final int BLOCK = 512;
  private static final int NAME_BYTES = 100;
  private static final long MAX_SIZE = 1L << 33;

  private final OutputStream out;
  private final Instant time;

  TarWriter(OutputStream out, Instant time) {
    this.out = out;
    this.time = time;
  }

  void directory(String name, int mode) throws IOException {
    header(name + "/", mode, 0, '5', "");
  }

  void link(String name, String target) throws IOException {
    header(name, 0777, 0, '2', target);
  }

  void file(String name, byte[] content, int mode) throws IOException {
    header(name, mode, content.length, '0', "");
    out.write(content);
    pad(content.length);
  }

  void file(String name, Path content, int mode) throws IOException {
    long size = Files.size(content);
    header(name, mode, size, '0', "");
    long copied = Files.copy(content, out);
    if (copied != size) {
      throw new IOException("%s changed while it was read".formatted(content));
    }
    pad(size);
  }

  private void pad(long size) throws IOException {
    out.write(new byte[(int) (-size & (BLOCK - 1))]);
  }

  private void header(String name, int mode, long size, char type, String target)
      throws IOException {
    if (size >= MAX_SIZE) {
      throw new IOException("%s is too large for a tar archive".formatted(name));
    }
    if (bytes(name).length > NAME_BYTES) {
      longName(name);
    }
    byte[] block = new byte[BLOCK];
    put(block, 0, NAME_BYTES, head(name));
    octal(block, 100, 8, mode);
    octal(block, 108, 8, 0);
    octal(block, 116, 8, 0);
    octal(block, 124, 12, size);
    octal(block, 136, 12, time.getEpochSecond());
    block[156] = (byte) type;
    put(block, 157, NAME_BYTES, target);
    put(block, 257, 8, "ustar\00000");
    checksum(block);
    out.write(block);
  }

  /// An entry before the one that is meant, which says its name: a record that begins with its own
  /// length.
  private void longName(String name) throws IOException {
    String rest = " path=" + name + "\n";
    int length = bytes(rest).length;
    int total = length + String.valueOf(length).length();
    if (String.valueOf(total).length() > String.valueOf(length).length()) {
      total++;
    }
    byte[] record = bytes(total + rest);
    header("long-name", 0644, record.length, 'x', "");
    out.write(record);
    pad(record.length);
  }

  /// As much of a name as fits.
  private static String head(String name) {
    int end = name.length();
    while (bytes(name.substring(0, end)).length > NAME_BYTES) {
      end--;
    }
    return name.substring(0, end);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static void checksum(byte[] block) {
    put(block, 148, 8, "        ");
    int sum = 0;
    for (byte value : block) {
      sum += value & 0xff;
    }
    put(block, 148, 8, String.format(Locale.ROOT, "%06o\0 ", sum));
  }

  private static void octal(byte[] block, int at, int width, long value) {
    put(block, at, width, String.format(Locale.ROOT, "%0" + (width - 1) + "o\0", value));
  }

  private static void put(byte[] block, int at, int width, String text) {
    byte[] bytes = bytes(text);
    if (bytes.length > width) {
      throw new IllegalArgumentException("longer than its field: " + text);
    }
    System.arraycopy(bytes, 0, block, at, bytes.length);
  }

  /// Ends the archive and closes what it was written to.
  @Override
  public void close() throws IOException {
    out.write(new byte[2 * BLOCK]);
    out.close();
  }
}
