package dev.weft.platform.gateway;

import dev.weft.functions.instance.DeviceId;
import java.util.HashSet;
import java.util.Set;

/// How one request fared so far: which devices refused it because it would not have been in time,
/// how many runtimes broke under it or sent it away, and so what may still be tried.
final class Attempts {
  /// A request that breaks so many runtimes is not given to another.
  static final int MAX_BREAKS = 3;

  /// How often runtimes may send a stream away before its end, without having failed.
  static final int MAX_MOVES = 16;

  private final Set<DeviceId> refusedBy = new HashSet<>();
  private boolean hope;
  private boolean patient;
  private int breaks;
  private int moves;

  /// Whether the next runtime is to refuse what would be late. Only where there is more than one
  /// device: on a single one a refusal could only mean waiting in another place.
  boolean inTime(int reachableDevices) {
    return !patient && reachableDevices > 1;
  }

  /// Notes a refusal. Returns all devices that refused since they were asked anew.
  ///
  /// @param hopeless whether it would be late there, were the device idle
  Set<DeviceId> refused(DeviceId device, boolean hopeless) {
    refusedBy.add(device);
    hope |= !hopeless;
    return Set.copyOf(refusedBy);
  }

  /// Whether it would be late on every device that refused, were it idle.
  boolean hopeless() {
    return !hope;
  }

  /// From now on every device may be asked again.
  void askAnew() {
    refusedBy.clear();
    hope = false;
  }

  /// From now on it waits wherever it goes.
  void becomePatient() {
    patient = true;
  }

  /// Notes that a runtime broke. Returns whether it may be given to another.
  boolean broke() {
    breaks++;
    return breaks < MAX_BREAKS;
  }

  /// Notes that a runtime sent the stream away. Returns whether it may go on elsewhere.
  boolean moved() {
    moves++;
    return moves <= MAX_MOVES;
  }
}
