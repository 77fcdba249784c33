package dev.weft.runtime.memory;

import dev.weft.autoscaler.memory.ChunkShares.Member;
import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import java.util.ArrayList;
import java.util.List;

/// The memory in which all executables of a device compute, as a part of its chunks: one range that
/// begins anew with each step.
///
/// ```
///   address                     a step of 8 rows    a step of 512 rows
///   | used by this step          |                   |
///   | needed by one of the last steps: kept          | mapped, and others' for the asking |
/// ```
///
/// It is mapped when a step first needs it. What the last steps needed stays: chunks that went to
/// and fro between a long prompt of one instance and the growth of another would preempt sequences
/// for nothing. Everything is under the balloon's lock; only the device's thread maps for a step.
final class Activations implements Share {
  /// What was asked for is kept until at least so many more times something was asked for. A turn
  /// of a decoder asks twice: before it plans, and when it knows its plan.
  static final int KEPT_TIMES = 128;

  private final VirtualTensor tensor;
  private final Reservation reservation;
  private final List<Lease> leases = new ArrayList<>();
  private final Balloon balloon;
  private int times;
  private int needed;
  private int neededBefore;
  private volatile int guaranteeChunks;

  Activations(Balloon balloon, ChunkPool pool, MemoryLedger ledger) {
    this.balloon = balloon;
    if (!(ledger.reserve(Balloon.ACTIVATIONS, 0)
        instanceof Outcome.Reserved(Reservation granted))) {
      throw new IllegalStateException("a ledger refused to count nothing");
    }
    reservation = granted;
    tensor = pool.reserve(Balloon.ACTIVATIONS, VirtualTensor.Kind.ACTIVATION, pool.chunkCount());
  }

  /// One executable's way to the memory.
  private final class Lease implements Scratch {
    private final long mostBytes;

    Lease(long mostBytes) {
      this.mostBytes = mostBytes;
    }

    @Override
    public long acquire(long bytes) {
      balloon.acquire(Activations.this, chunksFor(bytes));
      return tensor.address();
    }

    @Override
    public void close() {
      balloon.close(Activations.this, this);
    }
  }

  Scratch open(long mostBytes) {
    var lease = new Lease(mostBytes);
    leases.add(lease);
    countGuarantee();
    return lease;
  }

  /// Ends a lease. Returns whether it was the last one.
  boolean close(Scratch lease) {
    leases.remove(lease);
    countGuarantee();
    return leases.isEmpty();
  }

  private int chunksFor(long bytes) {
    return Math.toIntExact(Math.ceilDiv(bytes, tensor.chunkBytes()));
  }

  private void countGuarantee() {
    guaranteeChunks =
        chunksFor(leases.stream().mapToLong(lease -> lease.mostBytes).max().orElse(0));
  }

  /// Chunks of the largest step of those that are open: what can be had back at any time. Any
  /// thread.
  int guaranteeChunks() {
    return guaranteeChunks;
  }

  /// A step begins that needs so many chunks.
  void begin(int chunks) {
    if (++times % KEPT_TIMES == 0) {
      neededBefore = needed;
      needed = 0;
    }
    needed = Math.max(needed, chunks);
  }

  /// Nothing is kept for steps to come.
  void forgetSteps() {
    needed = 0;
    neededBefore = 0;
  }

  @Override
  public VirtualTensor tensor() {
    return tensor;
  }

  @Override
  public Reservation reservation() {
    return reservation;
  }

  @Override
  public long fixedBytes() {
    return 0;
  }

  @Override
  public Member member(int asked) {
    int held = granted();
    int kept = Math.min(held, Math.max(needed, neededBefore));
    return new Member(Balloon.ACTIVATIONS, held, kept, 0, asked, guaranteeChunks);
  }

  /// What a step left there is nobody's.
  @Override
  public int vacate(int chunks) {
    return 0;
  }

  void close() {
    tensor.close();
    reservation.close();
  }
}
