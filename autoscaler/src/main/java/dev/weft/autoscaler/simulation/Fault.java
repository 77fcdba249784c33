package dev.weft.autoscaler.simulation;

/// Something that goes wrong in a simulation.
public sealed interface Fault {
  long atNanos();

  long untilNanos();

  /// A device dies with all it holds, and comes back empty.
  record DeviceDies(int device, long atNanos, long untilNanos) implements Fault {}

  /// A device's steps take `factor` times as long.
  record DeviceSlows(int device, double factor, long atNanos, long untilNanos) implements Fault {}

  /// Nobody makes or removes instances; requests go on reaching those that are there.
  record ControllerPauses(long atNanos, long untilNanos) implements Fault {}
}
