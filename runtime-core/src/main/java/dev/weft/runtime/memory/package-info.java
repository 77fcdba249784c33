/// Who holds which bytes of a device: the ledger, the KV blocks and their owners.
///
/// - [MemoryLedger] counts bytes of one device by owner. It moves nothing; it says who may use how
///   much, and never lets the sum pass the device's capacity.
/// - [BlockPool] hands out the KV block indexes of one instance, lowest first, so that a cache that
///   is little used stays dense at its start. Several tables may hold a block. Its capacity may
///   grow, from a [BlockSupply], and shrink, for which blocks in use move ([BlockMoves]).
/// - [BlockTable] is one holder's list of blocks: token `i` of a sequence lies in block `i /
///   blockTokens`.
///
/// ```
///   device bytes      MemoryLedger    | chat-00001 .......... | embed-00002 ... |      free       |
///                                        weights, scratch, KV
///   one KV cache      BlockPool       | 0 | 1 | 2 | 3 | 4 | 5 | ... blockCount - 1
///                                       A   A   B   A   -   B
///   one sequence      BlockTable      A: [0, 1, 3]   B: [2, 5]
/// ```
///
/// What moves between instances is chunks of 2 MiB:
///
/// - [ChunkMemory] is what a device offers: chunks, and address ranges onto which they are mapped.
/// - [ChunkPool] knows the owner of each chunk.
/// - [VirtualTensor] is a range whose beginning is mapped: one holds the KV of one instance. Since
///   blocks have the lowest indexes, it grows and shrinks at its end. One more holds what steps
///   compute in ([Scratch]), of all instances.
/// - [Balloon] moves chunks between all of these.
///
/// This package knows no requests, no tensors and no devices.
@NullMarked
package dev.weft.runtime.memory;

import org.jspecify.annotations.NullMarked;
