package dev.weft.runtime.instance;

import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.InstanceStatus;
import java.util.concurrent.CompletableFuture;

/// The answer to a control call.
public sealed interface ControlOutcome {
  /// It is being done.
  ///
  /// @param status the instance at this moment
  /// @param settled the instance once it is done; a load that fails settles with the reason in
  ///   [InstanceStatus#failure]
  record Accepted(InstanceStatus status, CompletableFuture<InstanceStatus> settled)
      implements ControlOutcome {}

  record Refused(Rejection rejection) implements ControlOutcome {}
}
