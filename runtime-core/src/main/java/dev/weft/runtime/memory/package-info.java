/// Who holds which bytes of a device: the ledger, the KV blocks and their owners.
///
/// - [MemoryLedger] counts bytes of one device by owner. It moves nothing; it says who may use how
///   much, and never lets the sum pass the device's capacity.
/// - [BlockPool] hands out the KV block indexes of one instance, lowest first, so that a cache that
///   is little used stays dense at its start.
/// - [BlockTable] is one sequence's list of blocks: token `i` lies in block `i / blockTokens`.
///
/// ```
///   device bytes      MemoryLedger    | chat-00001 .......... | embed-00002 ... |      free       |
///                                        weights, scratch, KV
///   one KV cache      BlockPool       | 0 | 1 | 2 | 3 | 4 | 5 | ... blockCount - 1
///                                       A   A   B   A   -   B
///   one sequence      BlockTable      A: [0, 1, 3]   B: [2, 5]
/// ```
///
/// Elastic memory comes here: chunks with owners, virtual tensors onto which chunks are mapped, and
/// the balloon that moves chunks between instances. It works on the two properties that these
/// classes keep: blocks at the lowest index, and growth that is committed before it is used while
/// shrinkage counts only once it has completed.
///
/// This package knows no requests, no tensors and no devices.
@NullMarked
package dev.weft.runtime.memory;

import org.jspecify.annotations.NullMarked;
