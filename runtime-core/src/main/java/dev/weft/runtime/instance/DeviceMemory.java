package dev.weft.runtime.instance;

import dev.weft.autoscaler.admission.InstanceFit;
import dev.weft.autoscaler.memory.EvictionPlan.Eviction;
import dev.weft.autoscaler.memory.KvGrant;
import dev.weft.autoscaler.memory.ModelFootprint;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.locks.ReentrantLock;

/// Finds memory for a new instance: decides on numbers, evicts, reserves. One load at a time gets
/// to this point, so that two never evict for the same bytes.
final class DeviceMemory {
  /// A plan may be overtaken: an instance that was idle when it was made is busy when its turn
  /// comes. Then the plan is made again, so many times.
  private static final int MAX_PLANS = 10;

  private final MemoryLedger ledger;
  private final Evictor evictor;
  private final ReentrantLock turn = new ReentrantLock(true);

  /// Takes instances off the device.
  interface Evictor {
    List<dev.weft.autoscaler.memory.EvictionPlan.Candidate> candidates();

    /// Takes an instance off, and returns once its memory is free; false when it is no longer idle.
    boolean evict(RevisionId revision, String reason);
  }

  /// Memory for one instance.
  record Granted(Reservation reservation, int kvBlockCount) {}

  DeviceMemory(MemoryLedger ledger, Evictor evictor) {
    this.ledger = ledger;
    this.evictor = evictor;
  }

  /// What would be decided now, without doing it.
  InstanceFit.Outcome decide(ModelFootprint footprint) {
    return InstanceFit.decide(footprint, device());
  }

  long capacityBytes() {
    return ledger.capacityBytes();
  }

  /// Memory for the model and its KV cache, or a [LoadException] with the arithmetic.
  Granted reserve(RevisionId revision, ModelFootprint footprint, KvGrant policy) {
    turn.lock();
    try {
      for (int i = 0; i < MAX_PLANS; i++) {
        switch (InstanceFit.decide(footprint, device())) {
          case InstanceFit.FitsNow _ -> {
            return grant(revision, footprint, policy);
          }
          case InstanceFit.FitsAfter(List<Eviction> evictions, String reason) ->
              evict(revision, evictions);
          case InstanceFit.NotNow(long _, String reason) ->
              throw LoadException.refused(Rejection.Code.NO_MEMORY_NOW, reason);
          case InstanceFit.Never(long _, String reason) ->
              throw LoadException.refused(Rejection.Code.NEVER_FITS, reason);
        }
      }
    } finally {
      turn.unlock();
    }
    throw LoadException.refused(
        Rejection.Code.NO_MEMORY_NOW,
        "instances that were idle became busy again and again; nothing could be evicted");
  }

  private void evict(RevisionId newcomer, List<Eviction> evictions) {
    for (Eviction eviction : evictions) {
      if (!evictor.evict(
          eviction.revision(), "makes room for %s; %s".formatted(newcomer, eviction.reason()))) {
        return;
      }
    }
  }

  private Granted grant(RevisionId revision, ModelFootprint footprint, KvGrant policy) {
    long freeBytes = ledger.snapshot().availableBytes();
    return switch (policy.decide(footprint, freeBytes)) {
      case KvGrant.Granted(int blockCount, long bytes, String _) ->
          new Granted(reserve(revision, Math.addExact(footprint.fixedBytes(), bytes)), blockCount);
      case KvGrant.TooSmall(long _, String reason) ->
          throw LoadException.refused(Rejection.Code.NO_MEMORY_NOW, reason);
    };
  }

  private Reservation reserve(RevisionId revision, long bytes) {
    return switch (ledger.reserve(revision.toString(), bytes)) {
      case MemoryLedger.Outcome.Reserved(Reservation reservation) -> committed(reservation);
      case MemoryLedger.Outcome.Refused(long asked, long available) ->
          throw LoadException.refused(
              Rejection.Code.NO_MEMORY_NOW,
              "%d bytes were asked for, %d are free".formatted(asked, available));
    };
  }

  /// Waits for bytes that others are still giving back.
  private static Reservation committed(Reservation reservation) {
    try {
      reservation.committed().join();
      return reservation;
    } catch (CompletionException e) {
      reservation.close();
      throw e;
    }
  }

  private InstanceFit.Device device() {
    MemoryLedger.Snapshot snapshot = ledger.snapshot();
    return new InstanceFit.Device(
        snapshot.capacityBytes(), snapshot.plannedBytes(), evictor.candidates());
  }
}
