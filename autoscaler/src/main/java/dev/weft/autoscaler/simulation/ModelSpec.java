package dev.weft.autoscaler.simulation;

import dev.weft.functions.instance.PerformanceTable;
import java.util.Map;

/// A model that simulated functions run.
///
/// @param quota steps of one grant on a device that is shared (see
///   [dev.weft.autoscaler.scheduling.StepChoice])
/// @param kinds how it runs on each kind of device; one that is absent cannot run it
public record ModelSpec(
    String name, long weightBytes, long kvBytesPerToken, int quota, Map<String, OnKind> kinds) {
  public ModelSpec {
    kinds = Map.copyOf(kinds);
    if (weightBytes < 1 || kvBytesPerToken < 1 || quota < 1) {
      throw new IllegalArgumentException(
          "%s: %d bytes of weights, %d a token, quota %d"
              .formatted(name, weightBytes, kvBytesPerToken, quota));
    }
  }

  /// A model on a kind of device.
  ///
  /// @param exclusiveConcurrency requests at once that a device of its own takes, when their number
  ///   is fixed beforehand; 0 where none is known
  /// @param halfConcurrency the same for half of a device; as many as for a whole one where it
  ///   cannot be halved
  public record OnKind(PerformanceTable table, int exclusiveConcurrency, int halfConcurrency) {}
}
