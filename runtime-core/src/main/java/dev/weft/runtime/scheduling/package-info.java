/// What runs in the next step: iteration-level batching (Orca, OSDI 2022) with chunked prefill
/// (Sarathi-Serve, OSDI 2024) over a paged KV cache (vLLM, SOSP 2023). It knows tokens and blocks
/// by number, no tensors, no threads and no clock.
///
/// ```
///   submit --> waiting --admit--> running --finish--> gone
///              (FCFS)  <-preempt- (in order of arrival)
///
///   one step of at most maxBatchTokens rows, or fewer where the machine is slow:
///     | decode: one row each | prefill chunks | drafts of those that decode |
/// ```
///
/// Prompts share a step: a quarter of its rows goes to the oldest, the rest to those with the
/// fewest tokens to go, so that a short prompt does not wait behind a long one and the long one
/// still ends ([PrefillShares]).
///
/// Blocks are never over-committed ([KvBlocks]): every running sequence has a plan of blocks, what
/// plans promise never exceeds what is free or only cached, and a sequence never holds more than
/// its plan. A sequence is admitted when its plan fits: its tokens and some more to grow by, or its
/// longest possible length where that is less. When it outgrows the plan, others first give up what
/// they planned and do not use; then the device is asked for more; then the newest running sequence
/// is preempted: its blocks are freed, it waits at the head of the queue, and later its tokens,
/// generated ones included, are prefilled again, as far as they are not known any more. The oldest
/// sequence is never preempted for another, so it always ends, and so does every other in its turn.
///
/// Complete blocks stay in the prefix cache, in memory that nobody else needs: whoever begins with
/// the same tokens shares them. The last token of a sequence is always computed.
@NullMarked
package dev.weft.runtime.scheduling;

import org.jspecify.annotations.NullMarked;
