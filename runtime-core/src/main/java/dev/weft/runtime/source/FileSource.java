package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.SourceException.Code;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/// `file:/absolute/path`: a file or a directory that stays where it is. Nothing is fetched, so
/// there is neither lock nor receipt; a hash is checked every time, since the file may change under
/// its name.
final class FileSource {
  Inspection inspect(ModelSource source) {
    long bytes = FileTree.bytes(existing(source));
    return new Inspection(source, Tier.DISK, OptionalLong.of(bytes));
  }

  Path fetch(ModelSource source, Transfer transfer) {
    Path path = existing(source);
    String expected = source.sha256();
    if (expected != null) {
      if (Files.isDirectory(path)) {
        throw new SourceException(
            Code.UNUSABLE, "sha256 is for a single file, and this is a directory");
      }
      Hashes.verify(path, Hashes.SHA_256, expected, transfer);
    }
    return path;
  }

  private static Path existing(ModelSource source) {
    Path path = path(source);
    if (!Files.exists(path)) {
      throw new SourceException(Code.NOT_FOUND, "no such file or directory");
    }
    if (!Files.isReadable(path)) {
      throw new SourceException(
          Code.UNAUTHORISED, "the file may not be read by the user that Weft runs as");
    }
    return path;
  }

  private static Path path(ModelSource source) {
    String address = source.uri().substring("file:".length());
    String path = address.startsWith("//") ? address.substring(2) : address;
    if (!path.startsWith("/")) {
      throw new SourceException(
          Code.UNUSABLE,
          "not an absolute path; write file:/path/to/model or file:///path/to/model");
    }
    return Path.of(percentDecoded(path));
  }

  /// A path as typed and a path as an address both work: `%20` is a space only when no file has the
  /// literal name.
  private static String percentDecoded(String path) {
    if (path.indexOf('%') < 0 || Files.exists(Path.of(path))) {
      return path;
    }
    try {
      return URI.create("file://" + path).getPath();
    } catch (IllegalArgumentException e) {
      return path;
    }
  }
}
