package dev.weft.runtime.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/// A file that tensors lie in, as the system tells it from every other and from its own earlier and
/// later contents: without reading it.
///
/// @param path absolute, links resolved
/// @param modifiedMicros the time of its last change, since 1970
/// @param key device and inode
public record SourceFile(Path path, long bytes, long modifiedMicros, String key) {
  /// The file as it is now; empty when it is gone, or the file system does not tell files apart.
  public static Optional<SourceFile> of(Path file) {
    try {
      Path path = file.toRealPath();
      BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
      return Optional.ofNullable(attributes.fileKey())
          .map(key ->
              new SourceFile(
                  path,
                  attributes.size(),
                  attributes.lastModifiedTime().to(TimeUnit.MICROSECONDS),
                  key.toString()));
    } catch (IOException e) {
      // Gone since it was opened, say: then nothing is known of it.
      return Optional.empty();
    }
  }

  /// Whether the file at this path is still this one.
  public boolean unchanged() {
    return of(path).filter(this::equals).isPresent();
  }
}
