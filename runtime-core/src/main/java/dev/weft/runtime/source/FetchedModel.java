package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import java.nio.file.Path;

/// A model's files on this machine.
///
/// @param path a single file (GGUF), or a directory that holds the model's files
/// @param source the one of the sources that it came from
/// @param bytes of all its files
public record FetchedModel(Path path, ModelSource source, long bytes) {}
