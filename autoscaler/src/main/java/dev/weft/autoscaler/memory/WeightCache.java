package dev.weft.autoscaler.memory;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/// Which weights are near a device, in a cache of limited size: those used last stay.
///
/// Weights that are larger than the cache are never in it. For one thread.
public final class WeightCache<K> {
  private final long capacityBytes;
  private final Map<K, Long> held = new LinkedHashMap<>(16, 0.75f, true);
  private long bytes;

  public WeightCache(long capacityBytes) {
    if (capacityBytes < 0) {
      throw new IllegalArgumentException("capacityBytes is negative: " + capacityBytes);
    }
    this.capacityBytes = capacityBytes;
  }

  /// Whether they are near; asking is no use of them.
  public boolean holds(K weights) {
    return held.containsKey(weights);
  }

  /// They are loaded from here, or were fetched and stay if there is room for them at all.
  public void used(K weights, long size) {
    if (held.get(weights) != null || size > capacityBytes) {
      return;
    }
    held.put(weights, size);
    bytes += size;
    Iterator<Long> oldest = held.values().iterator();
    while (bytes > capacityBytes) {
      bytes -= oldest.next();
      oldest.remove();
    }
  }

  public long bytes() {
    return bytes;
  }
}
