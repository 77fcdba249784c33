package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import java.util.OptionalLong;

/// What a fetch would give, found without downloading the model.
///
/// @param source the first of the sources that has it
/// @param tier [Tier#DISK] when its files are on this machine, else [Tier#REMOTE]
/// @param bytes of the files that would be fetched; empty where the source does not tell
public record Inspection(ModelSource source, Tier tier, OptionalLong bytes) {}
