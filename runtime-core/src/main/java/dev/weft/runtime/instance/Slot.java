package dev.weft.runtime.instance;

import dev.weft.functions.Revision;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.weights.SourceFile;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// What is known of one revision on this device. All fields are guarded by the [Instances] that it
/// belongs to.
final class Slot {
  final Revision revision;
  Tier tier = Tier.REMOTE;
  boolean pinned;
  int leases;
  long loadCount;
  long fileBytes;
  Instant lastUsedAt;
  @Nullable LoadProgress progress;
  @Nullable Failure failure;

  /// What the weights were read from, once they have been; empty while that is not known.
  List<SourceFile> files = List.of();

  /// The model in the device's memory, at the tiers DEVICE and READY.
  @Nullable Resident resident;

  /// Of an adapter: the revision to load it onto.
  @Nullable Revision base;

  /// Of an adapter that has a resident: the slot of what it is on.
  @Nullable Slot on;

  /// The load under way.
  @Nullable Pending pending;

  /// Completes when the resident that was here last has given everything back.
  CompletableFuture<Void> vacated = CompletableFuture.completedFuture(null);

  Slot(Revision revision, Instant now) {
    this.revision = revision;
    this.lastUsedAt = now;
  }

  /// A load under way, to the tier that the most demanding of its callers asked for.
  static final class Pending {
    final CompletableFuture<InstanceStatus> settled = new CompletableFuture<>();
    Tier target;
    volatile boolean cancelled;

    Pending(Tier target) {
      this.target = target;
    }
  }
}
