package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import java.nio.file.Path;
import java.util.List;

/// One scheme of source addresses. Methods throw [SourceException].
interface Source {
  /// What [#fetch] would give; small requests only.
  Inspection inspect(ModelSource source);

  /// The file whose lock keeps other threads and processes from fetching the same bytes meanwhile.
  Path lock(ModelSource source);

  /// Gets the files, under the lock.
  Fetched fetch(ModelSource source, Transfer transfer);

  /// Files that are whole.
  ///
  /// @param path what holds them: the only file, or a directory
  record Fetched(Path path, List<FetchedFile> files) {
    public Fetched {
      files = List.copyOf(files);
    }
  }

  /// One file, and the hash its bytes were checked against or were seen to have.
  ///
  /// @param name relative to [Fetched#path], empty when that is the file
  /// @param algorithm one of [Hashes]
  record FetchedFile(String name, String algorithm, String hash) {}
}
