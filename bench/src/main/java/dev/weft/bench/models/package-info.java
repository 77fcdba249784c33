/// Writes the models that are measured: weights of any source, in both file formats, streamed row
/// by row so that a model need not fit in memory.
///
/// A [ModelShape] lists tensors, a [WeightSource] gives their rows as float32, and [GgufModel] or
/// [SafetensorsModel] writes them. [BenchModels] says which there are and where.
@NullMarked
package dev.weft.bench.models;

import org.jspecify.annotations.NullMarked;
