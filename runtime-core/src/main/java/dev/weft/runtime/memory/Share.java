package dev.weft.runtime.memory;

import dev.weft.autoscaler.memory.ChunkShares;
import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.MemoryLedger.Reservation;

/// One of those among whom the [Balloon] moves chunks.
interface Share {
  VirtualTensor tensor();

  /// What the policy is told.
  ///
  /// @param needed chunks that are asked for at this moment
  ChunkShares.Member member(int needed);

  /// Makes do without what lies beyond so many chunks; returns how many blocks were moved for that.
  int vacate(int chunks);

  /// Where its bytes are counted, beside [#fixedBytes] that never change.
  Reservation reservation();

  long fixedBytes();

  default String owner() {
    return tensor().owner();
  }

  /// Chunks that it was granted: what it may plan with. Those of them that are not
  /// [mapped][#tensor] come before a step uses them, and those that are mapped beyond them go to
  /// others.
  default int granted() {
    long bytes = Math.max(0, reservation().plannedBytes() - fixedBytes());
    return Math.toIntExact(bytes / tensor().chunkBytes());
  }

  /// Plans for so many chunks; false when a load was faster to the bytes.
  default boolean tryPlan(int chunks) {
    return switch (reservation().resize(fixedBytes() + chunks * tensor().chunkBytes())) {
      case Outcome.Reserved _ -> true;
      case Outcome.Refused _ -> false;
    };
  }

  /// What lies beyond the plan is others'.
  default void complete() {
    reservation().complete();
  }
}
