package dev.weft.runtime.memory;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/// Bytes of one device, by owner. Thread-safe.
///
/// Each reservation has two figures. *Planned* is what it is meant to have: admission decides on
/// the sum of these. *Actual* is what may be in use at this moment: the sum of these is what the
/// device could really be asked for. They differ while memory is on its way from one owner to
/// another:
///
/// - Growth is committed early: actual rises before the owner may touch the bytes. When the sum of
///   actual bytes leaves no room yet, it waits, in order, for shrinkages to complete
///   ([Reservation#committed]).
/// - Shrinkage is committed on completion: planned falls at once, so that others can plan with the
///   bytes, and actual falls only when the owner says that they are no longer used
///   ([Reservation#complete]).
///
/// What holds at every moment, whatever the interleaving: neither sum exceeds the capacity, and
/// once every shrinkage has completed, no growth waits.
public final class MemoryLedger {
  private final long capacityBytes;
  private final Set<Reservation> reservations = new LinkedHashSet<>();
  private final ArrayDeque<Reservation> waiting = new ArrayDeque<>();
  private long plannedBytes;
  private long actualBytes;

  public MemoryLedger(long capacityBytes) {
    if (capacityBytes < 0) {
      throw new IllegalArgumentException("capacityBytes is negative: " + capacityBytes);
    }
    this.capacityBytes = capacityBytes;
  }

  /// The answer to a plan.
  public sealed interface Outcome {
    /// The bytes are planned; they may be used once [Reservation#committed] completes, which it has
    /// already unless others are still giving bytes back.
    record Reserved(Reservation reservation) implements Outcome {}

    /// The plan would exceed the capacity; nothing has changed.
    ///
    /// @param askedBytes growth that was asked for
    /// @param availableBytes growth that would have been accepted
    record Refused(long askedBytes, long availableBytes) implements Outcome {}
  }

  /// What the ledger holds, taken at one moment.
  public record Snapshot(
      long capacityBytes, long plannedBytes, long actualBytes, List<Holding> holdings) {
    public Snapshot {
      holdings = List.copyOf(holdings);
    }

    /// Bytes that a new reservation may have.
    public long availableBytes() {
      return capacityBytes - plannedBytes;
    }
  }

  /// One reservation's figures.
  public record Holding(String owner, long plannedBytes, long actualBytes) {}

  public long capacityBytes() {
    return capacityBytes;
  }

  /// Plans `bytes` for a new reservation of `owner`. An owner may have several.
  public Outcome reserve(String owner, long bytes) {
    var reservation = new Reservation(owner);
    return reservation.resize(bytes);
  }

  public synchronized Snapshot snapshot() {
    var holdings = new ArrayList<Holding>();
    for (var reservation : reservations) {
      holdings.add(
          new Holding(reservation.owner, reservation.plannedBytes, reservation.actualBytes));
    }
    return new Snapshot(capacityBytes, plannedBytes, actualBytes, holdings);
  }

  /// Bytes of one owner. Closing gives everything back.
  public final class Reservation implements AutoCloseable {
    private final String owner;
    private long plannedBytes;
    private long actualBytes;
    private boolean closed;
    private CompletableFuture<Void> committed = CompletableFuture.completedFuture(null);

    private Reservation(String owner) {
      this.owner = owner;
    }

    public String owner() {
      return owner;
    }

    public long plannedBytes() {
      synchronized (MemoryLedger.this) {
        return plannedBytes;
      }
    }

    public long actualBytes() {
      synchronized (MemoryLedger.this) {
        return actualBytes;
      }
    }

    /// Completes when all planned bytes may be used; cancelled when the reservation is closed
    /// before. Completion runs on the thread that gave the bytes back.
    public CompletableFuture<Void> committed() {
      synchronized (MemoryLedger.this) {
        return committed.copy();
      }
    }

    /// Plans `bytes` in place of what was planned. After a smaller plan the owner stops using the
    /// surplus and then calls [#complete].
    public Outcome resize(long bytes) {
      if (bytes < 0) {
        throw new IllegalArgumentException("bytes is negative: " + bytes);
      }
      List<CompletableFuture<Void>> ready;
      synchronized (MemoryLedger.this) {
        checkOpen();
        long growth = bytes - plannedBytes;
        long available = capacityBytes - MemoryLedger.this.plannedBytes;
        if (growth > available) {
          return new Outcome.Refused(growth, available);
        }
        reservations.add(this);
        plannedBytes = bytes;
        MemoryLedger.this.plannedBytes += growth;
        if (plannedBytes > actualBytes && !waiting.contains(this)) {
          committed = new CompletableFuture<>();
          waiting.add(this);
        }
        ready = new ArrayList<>(commitWaiting());
        if (plannedBytes <= actualBytes && waiting.remove(this)) {
          // It waited for growth that it no longer wants; those behind it may pass.
          ready.add(committed);
          ready.addAll(commitWaiting());
        }
      }
      ready.forEach(future -> future.complete(null));
      return new Outcome.Reserved(this);
    }

    /// The owner no longer uses what lies beyond its plan. A plan that has grown again since keeps
    /// what it needs.
    public void complete() {
      List<CompletableFuture<Void>> ready;
      synchronized (MemoryLedger.this) {
        checkOpen();
        ready = giveBack();
      }
      ready.forEach(future -> future.complete(null));
    }

    /// Gives all bytes back; the owner uses none of them any more. Closing twice is harmless.
    @Override
    public void close() {
      List<CompletableFuture<Void>> ready;
      CompletableFuture<Void> abandoned;
      synchronized (MemoryLedger.this) {
        if (closed) {
          return;
        }
        closed = true;
        abandoned = committed;
        reservations.remove(this);
        waiting.remove(this);
        MemoryLedger.this.plannedBytes -= plannedBytes;
        plannedBytes = 0;
        ready = giveBack();
      }
      abandoned.cancel(false);
      ready.forEach(future -> future.complete(null));
    }

    private List<CompletableFuture<Void>> giveBack() {
      long surplus = actualBytes - plannedBytes;
      if (surplus > 0) {
        actualBytes -= surplus;
        MemoryLedger.this.actualBytes -= surplus;
      }
      return commitWaiting();
    }

    private void checkOpen() {
      if (closed) {
        throw new IllegalStateException("the reservation of '%s' is closed".formatted(owner));
      }
    }
  }

  /// Commits growth in the order in which it was planned, up to the first that does not fit: a
  /// small one never overtakes a large one, so none starves. The futures are completed by the
  /// caller, outside the lock.
  private List<CompletableFuture<Void>> commitWaiting() {
    var ready = new ArrayList<CompletableFuture<Void>>();
    while (!waiting.isEmpty()) {
      var head = waiting.getFirst();
      // Measured now, not when it was planned: the plan may have changed while it waited.
      long growth = Math.max(0, head.plannedBytes - head.actualBytes);
      if (growth > capacityBytes - actualBytes) {
        break;
      }
      head.actualBytes += growth;
      actualBytes += growth;
      waiting.removeFirst();
      ready.add(head.committed);
    }
    return ready;
  }
}
