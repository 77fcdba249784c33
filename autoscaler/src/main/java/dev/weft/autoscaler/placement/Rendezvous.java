package dev.weft.autoscaler.placement;

import dev.weft.functions.instance.DeviceId;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/// Highest-random-weight hashing: every key puts the devices in an order of its own, the same for
/// everybody who asks. Without one device, the others keep their order.
final class Rendezvous {
  private Rendezvous() {}

  /// The devices, best first.
  static List<DeviceId> order(String key, Collection<DeviceId> devices) {
    return devices.stream()
        .sorted(
            Comparator.comparing((DeviceId device) -> weight(key, device), Long::compareUnsigned)
                .reversed()
                .thenComparing(DeviceId::value))
        .toList();
  }

  /// FNV-1a over both names, then MurmurHash3's finaliser, since FNV's high bits hardly change with
  /// the last characters, in which devices differ.
  private static long weight(String key, DeviceId device) {
    long hash = 0xcbf29ce484222325L;
    for (byte b : (key + '\0' + device.value()).getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
    }
    hash = (hash ^ (hash >>> 33)) * 0xff51afd7ed558ccdL;
    hash = (hash ^ (hash >>> 33)) * 0xc4ceb9fe1a85ec53L;
    return hash ^ (hash >>> 33);
  }
}
