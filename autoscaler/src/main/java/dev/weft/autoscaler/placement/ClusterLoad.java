package dev.weft.autoscaler.placement;

import dev.weft.autoscaler.admission.DeviceLoad;
import dev.weft.autoscaler.admission.InstanceLoad;
import java.util.List;
import java.util.Optional;

/// The devices as placement sees them, for requests of one function.
public interface ClusterLoad {
  /// The function's instances that take requests, in any order.
  List<? extends Instance> instances();

  /// Devices by pool; a pool is tried before those after it.
  List<? extends List<? extends Device>> pools();

  /// An instance of the function as it would be made on that device; empty when it cannot be.
  Optional<? extends Fresh> fresh(Device device);

  /// A device.
  interface Device extends DeviceLoad {
    @Override
    List<? extends Instance> instances();

    /// A name that is the same for everybody, for order among equals.
    String name();

    /// Whether nothing runs or is being loaded there; instances that idle may be.
    boolean empty();

    /// Whether it runs out of time before it runs out of memory, as processors do: a new instance
    /// there takes a part of everybody's time for as long as it runs.
    default boolean lacksTime() {
      return false;
    }

    /// How full it is, from 0: its decode share where time is scarce, memory where that is.
    double load();
  }

  /// An instance that would be made.
  interface Fresh extends InstanceLoad {
    /// From its load's beginning until it can compute: shorter where its weights are near.
    long loadNanos();
  }

  /// An instance that is there.
  interface Instance extends InstanceLoad {
    Device device();

    /// All bytes planned for it.
    long plannedBytes();

    /// Its function's priority; a higher one is never pushed out by a lower.
    int priority();

    /// Whether it may be taken off its device although it runs: it has not been spared already, and
    /// is not pinned.
    boolean preemptible();

    /// What its function got lately of what is to be shared fairly (see
    /// [dev.weft.autoscaler.scheduling.FairShares]).
    default double got() {
      return 0;
    }

    /// Since when it has idled; `Long.MAX_VALUE` while it does not, or may not go.
    long idleSince();

    /// How likely its function is called soon: of those that idle, the least likely goes first,
    /// then the longest idle.
    default double soon() {
      return 0;
    }
  }
}
