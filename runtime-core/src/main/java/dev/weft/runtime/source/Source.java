package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/// One scheme of source addresses. Methods throw [SourceException].
interface Source {
  /// The files, when this machine has them whole; asks nobody.
  Optional<Path> cached(ModelSource source);

  /// Bytes that [#fetch] would give, where the source tells; small requests only.
  OptionalLong size(ModelSource source);

  /// Gets the files. Several threads and processes may fetch the same source at once.
  Path fetch(ModelSource source, Transfer transfer);
}
