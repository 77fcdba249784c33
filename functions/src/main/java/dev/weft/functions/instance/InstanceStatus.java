package dev.weft.functions.instance;

import dev.weft.functions.Model.Kind;
import dev.weft.functions.RevisionId;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One revision on a device.
///
/// @param runningRequests sequences in the batch
/// @param waitingRequests requests admitted and not yet in the batch
/// @param loadCount times this revision was loaded since the runtime started
/// @param progress how far the load under way is; `null` when none is
/// @param failure why the last load failed; `null` when it did not
/// @param adapters functions that are loaded onto this instance as adapters, each of which has a
///   status of its own beside this one
/// @param workers threads that take its small steps, as many as were found to be fastest; 0 where
///   there is nothing to choose
/// @param profile how long its steps take on this device; `null` until that has been measured
/// @param headroomMillis how much later its device could turn to it and yet be in time with all of
///   its requests; negative when it is too late for one; `null` when it has none, or while nothing
///   is known of how long its steps take
public record InstanceStatus(
    RevisionId revision,
    @Nullable Kind kind,
    Tier tier,
    boolean pinned,
    int runningRequests,
    int waitingRequests,
    long weightBytes,
    Blocks blocks,
    long loadCount,
    Instant lastUsedAt,
    @Nullable LoadProgress progress,
    @Nullable Failure failure,
    List<String> adapters,
    int workers,
    @Nullable PerformanceTable profile,
    @Nullable Long headroomMillis) {
  public InstanceStatus {
    adapters = List.copyOf(adapters);
  }

  public boolean busy() {
    return runningRequests > 0 || waitingRequests > 0;
  }

  /// Whether a load is under way.
  public boolean loading() {
    return progress != null;
  }

  /// KV blocks of one instance.
  ///
  /// @param planned blocks promised to admitted sequences
  /// @param actual blocks in use
  /// @param capacity blocks that it could have in use, were its neighbours idle
  /// @param tokensPerBlock the tokens that one block holds
  /// @param chunks chunks of the device's memory that hold its blocks, used or not
  public record Blocks(int planned, int actual, int capacity, int tokensPerBlock, int chunks) {
    public static final Blocks NONE = new Blocks(0, 0, 0, 0, 0);
  }

  /// How far a load is.
  ///
  /// @param bytesTotal 0 while unknown
  public record LoadProgress(Phase phase, String detail, long bytesDone, long bytesTotal) {
    /// What a load is doing.
    public enum Phase {
      FETCHING,
      VERIFYING,
      PACKING,
      COMPILING
    }
  }

  /// Why a load failed. `permanent` means that trying again cannot help.
  public record Failure(String code, String message, boolean permanent) {}
}
