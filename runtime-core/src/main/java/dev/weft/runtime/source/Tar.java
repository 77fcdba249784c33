package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.weft.runtime.source.SourceException.Code;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/// An archive of the `tar` program (POSIX.1-2024, `pax`, "ustar Interchange Format" and "pax
/// Interchange Format"; long names also as GNU's writes them), as far as a model's files in it
/// need.
///
/// The archive is not trusted. Names that lead out are refused, as are links in a model file's
/// place; only plain files are written, under their hash, and none beyond the limit or what the
/// disk has room for.
final class Tar {
  private static final int BLOCK = 512;
  private static final int MAX_ENTRIES = 100_000;
  private static final int MAX_HEADER_BYTES = 1 << 20;
  private static final int BUFFER_BYTES = 1 << 16;
  private static final String DELETED = ".wh.";

  private final InputStream from;
  private final Into into;
  private final Transfer transfer;
  private final byte[] header = new byte[BLOCK];

  /// Where files go.
  ///
  /// @param folder of the archive, that files are taken from; empty for all of it
  /// @param disk asked for room
  record Into(String folder, Blobs blobs, long maxFileBytes, Download.Disk disk) {}

  private Tar(InputStream from, Into into, Transfer transfer) {
    this.from = from;
    this.into = into;
    this.transfer = transfer;
  }

  /// Unpacks the model files.
  ///
  /// @return them as they now lie among the blobs, named relative to the folder
  static List<ListedFile> unpack(Path archive, boolean gzip, Into into, Transfer transfer) {
    try (InputStream bytes = Files.newInputStream(archive);
        InputStream from =
            gzip
                ? new GZIPInputStream(bytes, BUFFER_BYTES)
                : new BufferedInputStream(bytes, BUFFER_BYTES)) {
      return new Tar(from, into, transfer).unpack();
    } catch (EOFException | ZipException e) {
      throw new SourceException(Code.UNUSABLE, "a layer is not a whole archive", e);
    } catch (IOException e) {
      throw FileTree.failure("unpacking a layer", e);
    }
  }

  private List<ListedFile> unpack() throws IOException {
    List<ListedFile> files = new ArrayList<>();
    Map<String, String> extended = new HashMap<>();
    for (int entries = 0; nextHeader(); entries++) {
      transfer.check();
      if (entries == MAX_ENTRIES) {
        throw new SourceException(
            Code.REFUSED, "a layer holds more than %d files".formatted(MAX_ENTRIES));
      }
      long bytes = number(124, 12);
      char type = (char) header[156];
      switch (type) {
        case 'x' -> extended.putAll(members(data(bytes)));
        case 'L' -> {
          byte[] path = data(bytes);
          extended.put("path", text(path, 0, path.length));
        }
        case 'g', 'K' -> data(bytes);
        default -> {
          String path = extended.getOrDefault("path", name());
          String size = extended.getOrDefault("size", String.valueOf(bytes));
          entry(type, path, bytes(size), files);
          extended.clear();
        }
      }
    }
    return files;
  }

  /// Whether there is another; blocks of zeros end the archive.
  private boolean nextHeader() throws IOException {
    int read = from.readNBytes(header, 0, BLOCK);
    if (read == 0) {
      return false;
    }
    long sum = 0;
    boolean zeros = true;
    for (int i = 0; i < read; i++) {
      boolean within = i >= 148 && i < 156;
      sum += within ? ' ' : header[i] & 0xff;
      zeros &= header[i] == 0;
    }
    if (zeros) {
      return false;
    }
    if (read < BLOCK || sum != number(148, 8)) {
      throw new SourceException(Code.UNUSABLE, "a layer is not an archive of tar");
    }
    return true;
  }

  private void entry(char type, String path, long bytes, List<ListedFile> files)
      throws IOException {
    String plain = path.replaceFirst("^(\\./|/)+", "");
    String prefix = into.folder().isEmpty() ? "" : into.folder() + "/";
    boolean regular = type == '0' || type == '\0' || type == '7';
    if (!plain.startsWith(prefix)) {
      skip(bytes);
      return;
    }
    String name = plain.substring(prefix.length());
    if (name.substring(name.lastIndexOf('/') + 1).startsWith(DELETED)) {
      throw new SourceException(
          Code.UNUSABLE, "a layer deletes files of another; put the model in one layer");
    }
    if (!ModelFileNames.isWanted(name)) {
      skip(bytes);
      return;
    }
    if (!ModelFileNames.isPlainPath(name)) {
      throw new SourceException(Code.REFUSED, "a layer holds a name that leads out: " + name);
    }
    if (type == '1' || type == '2') {
      throw new SourceException(
          Code.UNUSABLE,
          "a layer holds a link in place of %s; put the file itself".formatted(name));
    }
    if (regular) {
      files.add(keep(name, bytes));
      from.skipNBytes(padding(bytes));
    } else {
      skip(bytes);
    }
  }

  private ListedFile keep(String name, long bytes) throws IOException {
    Path blobs = FileTree.createDirectories(into.blobs().home().resolve("blobs"));
    if (bytes > into.maxFileBytes()) {
      throw new SourceException(
          Code.REFUSED,
          "%s has %d bytes, and the limit is %d".formatted(name, bytes, into.maxFileBytes()));
    }
    if (bytes > into.disk().usableBytes(blobs)) {
      throw new SourceException(
          Code.DISK_FULL,
          "%s needs %d more bytes, and the disk has %d free"
              .formatted(name, bytes, into.disk().usableBytes(blobs)));
    }
    MessageDigest digest = Hashes.digest(Hashes.SHA_256, 0);
    Path unpacking = blobs.resolve("unpacking.weft.incomplete"); // one at a time has the lock
    try (OutputStream to = Files.newOutputStream(unpacking)) {
      byte[] buffer = new byte[BUFFER_BYTES];
      for (long left = bytes; left > 0; ) {
        transfer.check();
        int count = from.read(buffer, 0, (int) Math.min(left, buffer.length));
        if (count < 0) {
          throw new EOFException(name);
        }
        digest.update(buffer, 0, count);
        to.write(buffer, 0, count);
        left -= count;
      }
    }
    ListedFile file = new ListedFile(name, bytes, Hashes.SHA_256, Hashes.hex(digest.digest()));
    FileTree.rename(unpacking, into.blobs().of(file));
    return file;
  }

  /// A header's own data, without what fills its last block.
  private byte[] data(long bytes) throws IOException {
    if (bytes > MAX_HEADER_BYTES) {
      throw new SourceException(Code.REFUSED, "a layer has a header that is too long");
    }
    byte[] data = from.readNBytes((int) bytes);
    from.skipNBytes(padding(bytes));
    return data;
  }

  private void skip(long bytes) throws IOException {
    from.skipNBytes(bytes + padding(bytes));
  }

  private static long padding(long bytes) {
    return (BLOCK - bytes % BLOCK) % BLOCK;
  }

  /// `LENGTH KEY=VALUE\n`, again and again; the length is of all of it.
  private static Map<String, String> members(byte[] data) {
    Map<String, String> members = new HashMap<>();
    for (int at = 0; at < data.length; ) {
      int space = at;
      while (space < data.length && data[space] != ' ') {
        space++;
      }
      String length = new String(data, at, space - at, US_ASCII);
      int end = length.matches("\\d{1,7}") ? at + Integer.parseInt(length) : 0;
      if (end <= space || end > data.length) {
        throw new SourceException(Code.UNUSABLE, "a layer has a header that cannot be read");
      }
      String[] member = new String(data, space + 1, end - space - 1, UTF_8).strip().split("=", 2);
      if (member.length == 2) {
        members.put(member[0], member[1]);
      }
      at = end;
    }
    return members;
  }

  private String name() {
    String name = text(header, 0, 100);
    boolean ustar = text(header, 257, 6).startsWith("ustar");
    // GNU's own format has other things in place of the prefix.
    boolean posix = ustar && header[262] == 0;
    String prefix = posix ? text(header, 345, 155) : "";
    return prefix.isEmpty() ? name : prefix + "/" + name;
  }

  private static String text(byte[] bytes, int from, int length) {
    int end = from;
    while (end < from + length && bytes[end] != 0) {
      end++;
    }
    return new String(bytes, from, end - from, UTF_8);
  }

  /// Octal digits, or, with the first bit set, the bytes of the number itself.
  private long number(int at, int length) {
    if ((header[at] & 0x80) != 0) {
      long number = header[at] & 0x7f;
      for (int i = at + 1; i < at + length; i++) {
        number = (number << 8) | (header[i] & 0xff);
      }
      return bytes(String.valueOf(number));
    }
    String digits = text(header, at, length).strip();
    if (!digits.matches("[0-7]*")) {
      throw new SourceException(Code.UNUSABLE, "a layer is not an archive of tar");
    }
    return digits.isEmpty() ? 0 : Long.parseLong(digits, 8);
  }

  private static long bytes(String size) {
    if (!size.matches("\\d{1,15}")) {
      throw new SourceException(Code.UNUSABLE, "a layer has a size that cannot be read");
    }
    return Long.parseLong(size);
  }
}
