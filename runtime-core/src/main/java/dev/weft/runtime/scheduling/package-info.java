/// What runs in the next step: iteration-level batching (Orca, OSDI 2022) with chunked prefill
/// (Sarathi-Serve, OSDI 2024) over a paged KV cache (vLLM, SOSP 2023). It knows tokens and blocks
/// by number, no tensors, no threads and no clock.
///
/// ```
///   submit --> waiting --admit--> running --finish--> gone
///              (FCFS)  <-preempt- (in order of arrival)
///
///   one step of at most maxBatchTokens rows, or fewer where the machine is slow:
///     | decode: one row each, oldest first | prefill chunks, oldest first | newly admitted |
/// ```
///
/// Blocks are never over-committed: every running sequence has a plan of blocks, the plans' sum
/// never exceeds the pool, and a sequence never holds more than its plan. A sequence is admitted
/// when its plan fits: its tokens and some more to grow by, or its longest possible length where
/// that is less. When it outgrows the plan, others first give up what they planned and do not use;
/// then the newest running sequence is preempted: its blocks are freed, it waits at the head of the
/// queue, and later its tokens, generated ones included, are prefilled again. The oldest sequence
/// is never preempted for another, so it always ends, and so does every other in its turn.
@NullMarked
package dev.weft.runtime.scheduling;

import org.jspecify.annotations.NullMarked;
