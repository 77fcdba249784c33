package dev.weft.runtime.source;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Objects;

/// Contents by their hash, and snapshots: directories of links that give contents their names.
///
/// ```
/// home/blobs/<hash>                contents
/// home/snapshots/<id>/<path>       links to ../../blobs/<hash>
/// ```
record Blobs(Path home) {
  Path of(ListedFile file) {
    return home.resolve("blobs").resolve(file.hash());
  }

  Path snapshot(String id) {
    return home.resolve("snapshots").resolve(id);
  }

  /// Whether a file of that hash's name and of the listed size is there.
  boolean isWhole(ListedFile file) {
    try {
      return Files.isRegularFile(of(file)) && Files.size(of(file)) == file.bytes();
    } catch (IOException e) {
      return false;
    }
  }

  /// Whether the content is there. One that is, perhaps by another tool that only looked at its
  /// size, is hashed once; the receipt remembers.
  boolean has(ListedFile file, Transfer transfer) {
    if (!isWhole(file)) {
      return false;
    }
    if (!Hashes.of(of(file), file.algorithm(), transfer).equals(file.hash())) {
      transfer.note(file.name() + " in the cache is damaged; fetching it again");
      return false;
    }
    transfer.advance(file.bytes());
    return true;
  }

  /// Makes the snapshot's name for a content that is there.
  void link(String id, ListedFile file) {
    Path name = snapshot(id).resolve(file.path());
    Path parent = Objects.requireNonNull(name.getParent());
    Path target = parent.relativize(of(file));
    try {
      Files.createDirectories(parent);
      if (Files.isSymbolicLink(name) && Files.readSymbolicLink(name).equals(target)) {
        return;
      }
      Path temporary = parent.resolve(".weft-" + ProcessHandle.current().pid() + "-" + file.hash());
      Files.deleteIfExists(temporary);
      Files.createSymbolicLink(temporary, target);
      Files.move(temporary, name, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw FileTree.failure("linking " + file.name(), e);
    }
  }
}
