package dev.weft.runtime.instance;

import dev.weft.autoscaler.admission.InstanceFit;
import dev.weft.autoscaler.memory.EvictionPlan.Eviction;
import dev.weft.autoscaler.memory.ModelFootprint;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;

/// Finds memory for a new instance: decides on numbers, evicts, deflates others, reserves. One load
/// at a time gets to this point, so that two never evict for the same bytes.
final class DeviceMemory {
  /// A plan may be overtaken: an instance that was idle when it was made is busy when its turn
  /// comes. Then the plan is made again, so many times.
  private static final int MAX_PLANS = 10;

  private final MemoryLedger ledger;
  private final Balloon balloon;
  private final Engine engine;
  private final Evictor evictor;
  private final AtomicLong promisedBytes = new AtomicLong();
  private final List<Long> activationBytes = new CopyOnWriteArrayList<>();
  private final ReentrantLock turn = new ReentrantLock(true);

  /// Takes instances off the device.
  interface Evictor {
    List<dev.weft.autoscaler.memory.EvictionPlan.Candidate> candidates();

    /// Takes an instance off, and returns once its memory is free; false when it is no longer idle.
    boolean evict(RevisionId revision, String reason);
  }

  /// Memory of one instance: a reservation of its weights, to which KV is added as it grows, and a
  /// promise of more.
  final class Granted implements AutoCloseable {
    private final Reservation reservation;
    private final long ownBytes;
    private final long sharedBytes;

    private Granted(Reservation reservation, ModelFootprint footprint) {
      this.reservation = reservation;
      ownBytes = footprint.ownBytes();
      sharedBytes = footprint.activationBytes();
      promisedBytes.addAndGet(ownBytes);
      activationBytes.add(sharedBytes);
    }

    Reservation reservation() {
      return reservation;
    }

    /// What it can have at any time for itself: weights, and one full context.
    long ownBytes() {
      return ownBytes;
    }

    /// What its steps compute in, as those of the others do.
    long activationBytes() {
      return sharedBytes;
    }

    @Override
    public void close() {
      reservation.close();
      promisedBytes.addAndGet(-ownBytes);
      activationBytes.remove(Long.valueOf(sharedBytes));
    }
  }

  DeviceMemory(InstanceManager.Device device, Evictor evictor) {
    this.ledger = device.ledger();
    this.balloon = device.balloon();
    this.engine = device.engine();
    this.evictor = evictor;
  }

  /// What would be decided now, without doing it.
  InstanceFit.Outcome decide(ModelFootprint footprint) {
    return InstanceFit.decide(footprint, device());
  }

  long capacityBytes() {
    return ledger.capacityBytes();
  }

  /// Memory for the model, and a promise of KV memory for one full context; or a [LoadException]
  /// with the arithmetic.
  Granted reserve(RevisionId revision, ModelFootprint footprint) {
    turn.lock();
    try {
      for (int i = 0; i < MAX_PLANS; i++) {
        switch (InstanceFit.decide(footprint, device())) {
          case InstanceFit.FitsNow _ -> {
            return grant(revision, footprint);
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

  private Granted grant(RevisionId revision, ModelFootprint footprint) {
    return new Granted(committed(reserveFixed(revision, footprint.weightBytes())), footprint);
  }

  /// Reserves on the device's thread: others may have to give KV memory up first.
  private Reservation reserveFixed(RevisionId revision, long bytes) {
    var outcome = new AtomicReference<MemoryLedger.Outcome>();
    if (!engine.call(() -> outcome.set(balloon.reserve(revision.toString(), bytes)))) {
      throw LoadException.cancelled();
    }
    return switch (outcome.get()) {
      case MemoryLedger.Outcome.Reserved(Reservation reservation) -> reservation;
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
    // What instances hold beyond their promise comes back when it is needed.
    long shared = activationBytes.stream().mapToLong(Long::longValue).max().orElse(0);
    return new InstanceFit.Device(
        ledger.capacityBytes(), promisedBytes.get() + shared, shared, evictor.candidates());
  }
}
