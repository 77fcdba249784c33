package dev.weft.bench.gpu;

import dev.weft.bench.models.BenchModels;
import java.nio.file.Path;
import java.util.function.Supplier;

/// What every part is given.
///
/// @param models asked for by parts that read files
/// @param work for what the runtime keeps
record GpuSetting(int rounds, Gpu gpu, Supplier<BenchModels> models, Path work) {}
