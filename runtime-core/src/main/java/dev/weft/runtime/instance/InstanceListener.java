package dev.weft.runtime.instance;

import dev.weft.functions.RevisionId;
import java.time.Duration;

/// Hears of what happens to instances, for metrics; on any thread, and returns at once.
public interface InstanceListener {
  InstanceListener NONE = new InstanceListener() {};

  /// @param took until all of its weights were there, the last of which may come while it serves
  default void onLoaded(RevisionId revision, Duration took) {}

  /// @param code of the [dev.weft.functions.instance.InstanceStatus.Failure]
  default void onLoadFailed(RevisionId revision, String code) {}

  default void onEvicted(RevisionId revision) {}
}
