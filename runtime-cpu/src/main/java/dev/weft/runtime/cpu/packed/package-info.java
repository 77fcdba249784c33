/// Packed weights kept on disk: packing a model is done once, and every later load maps what came
/// of it. One file a model and packing, under `$WEFT_HOME/cache/packed`.
///
/// ```
/// header   text: what is packed, of which contents, in which layout ([PackedContents])
/// zeros    up to a multiple of 4,096
/// matrix   as the kernels read it, a multiple of 4,096 bytes
/// matrix   ...
/// ```
///
/// A file is named for the hash of its header, and the header holds the SHA-256 of every model
/// file: whatever is different gets another name, and a file whose header is not exactly the one
/// that is looked for is not used. A file gets its name once all of it is on the disk, in one step,
/// so that neither another process nor a crash ever shows a part; several processes may write the
/// same at once, and the last one wins. Files are mapped, shared and read-only: the system may drop
/// their pages while a function is idle and reads them back when it is called. They must not be
/// rewritten in place; deleting one that is in use is harmless.
///
/// Linux maps files in huge pages where the file system keeps them in large folios (ext4, XFS, and
/// btrfs of recent kernels); files are written in whole multiples of huge pages for that.
@NullMarked
package dev.weft.runtime.cpu.packed;

import org.jspecify.annotations.NullMarked;
