package dev.weft.runtime.source;

import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/// One repository in the hub's cache, in the layout that the hub's own tools read and write:
///
/// ```
/// models--org--name/
///   blobs/<hash>                       contents
///   snapshots/<commit>/<path>          links to ../../blobs/<hash>
///   refs/<revision>                    the commit that a branch or tag meant last
/// ```
///
/// Downloads under way have names of our own (`blobs/<hash>.weft.incomplete`): other tools lock in
/// another way, so sharing theirs could mix two writers.
final class HubCache {
  private final Path cache;
  private final String folder;
  private final Blobs blobs;

  HubCache(Path cache, String repository) {
    this.cache = cache;
    this.folder = "models--" + repository.replace("/", "--");
    this.blobs = new Blobs(cache.resolve(folder));
  }

  /// Its contents, and the snapshots of commits.
  Blobs blobs() {
    return blobs;
  }

  Path lock() {
    return cache.resolve(".locks").resolve(folder).resolve("weft.lock");
  }

  /// The commit that a revision meant when this machine last asked.
  Optional<String> commit(String revision) {
    if (HubAddress.isCommit(revision)) {
      return Optional.of(revision);
    }
    try {
      return Optional.of(Files.readString(blobs.home().resolve("refs").resolve(revision)).strip())
          .filter(HubAddress::isCommit);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw FileTree.failure("reading the hub's cache", e);
    }
  }

  void remember(String revision, String commit) {
    if (revision.equals(commit)) {
      return;
    }
    try {
      FileTree.writeAtomically(
          blobs.home().resolve("refs").resolve(revision),
          commit.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw FileTree.failure("writing the hub's cache", e);
    }
  }

  /// The files of a snapshot that this machine has whole, as the hub would list them: a blob's name
  /// is its hash. What other tools left without links is not listed.
  List<ListedFile> files(String commit) {
    Path snapshot = blobs.snapshot(commit);
    if (!Files.isDirectory(snapshot)) {
      return List.of();
    }
    try (Stream<Path> names = Files.walk(snapshot)) {
      List<ListedFile> files = new ArrayList<>();
      for (Path name : (Iterable<Path>) names::iterator) {
        if (Files.isSymbolicLink(name) && Files.isRegularFile(name)) {
          String hash = Objects.toString(Files.readSymbolicLink(name).getFileName());
          files.add(
              new ListedFile(
                  snapshot.relativize(name).toString(), Files.size(name), algorithm(hash), hash));
        }
      }
      return files.stream()
          .filter(file -> Files.exists(blobs.of(file), LinkOption.NOFOLLOW_LINKS))
          .toList();
    } catch (IOException e) {
      throw FileTree.failure("reading the hub's cache", e);
    }
  }

  private static String algorithm(String hash) {
    return switch (hash.length()) {
      case 64 -> Hashes.SHA_256;
      case 40 -> Hashes.GIT_SHA_1;
      default ->
          throw new SourceException(
              Code.UNUSABLE, "the hub's cache holds a file that is not named by its hash: " + hash);
    };
  }
}
