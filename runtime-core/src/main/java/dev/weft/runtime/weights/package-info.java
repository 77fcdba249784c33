/// Memory-mapped model files, parsed with bounds on everything a file can claim. Nothing in a file
/// is trusted: a claim is checked against the bytes that are there before memory is taken for it,
/// so that a small file costs little, and every failure is a [ModelFormatException] that names the
/// file, the place and the reason. Nothing here runs code from a file; pickles are not read.
///
/// **GGUF** ([GgufFile]), little-endian:
///
/// ```
/// 'GGUF', u32 version (2 or 3), u64 tensors, u64 pairs
/// pairs:    string key, u32 type, value          string = u64 bytes, UTF-8
/// tensors:  string name, u32 rank, u64 dimension[rank] (innermost first), u32 type, u64 offset
/// padding to general.alignment (32)
/// data:     offsets count from here
/// ```
///
/// | bound | value |
/// |---|---|
/// | string or array value | 64 MiB |
/// | metadata pairs, bytes of a key | 65,536 and 1,024 |
/// | tensors, bytes of a name | 131,072 and 1,024 |
/// | nesting of arrays | 4 |
/// | dimensions, and their product | 4, below 2^63 |
/// | alignment | a power of two up to 1 MiB |
///
/// **safetensors** ([SafetensorsFile], [ShardedSafetensors]): a u64 length, that many bytes of JSON
/// (at most 100 MB) mapping a name to `dtype`, `shape` and `data_offsets`, then the data, which the
/// entries cover without gap or overlap.
///
/// **A file that changes while mapped.** Its size is taken when it is opened. Replacing or deleting
/// it does no harm; cutting it short in place makes reads fail with an [InternalError] (in native
/// code, the process ends), so model files are replaced as a whole, never written in place.
@NullMarked
package dev.weft.runtime.weights;

import org.jspecify.annotations.NullMarked;
