package dev.weft.autoscaler.placement;

import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.ToLongFunction;

/// The few devices of a pool that are worth a look for a new instance, so that a decision among a
/// thousand devices costs as much as one among some dozens.
///
/// Devices are kept in the order of what their pool lacks: of memory the fullest that still has
/// room for the instance, or of time the busiest that has some left, and from there on to emptier
/// ones. A pool that is no longer than the list is given whole. For one thread.
public final class Shortlist<D extends ClusterLoad.Device> {
  /// How many devices are looked at for each that is taken, at most.
  private static final int LOOKS = 8;

  private final List<D> whole;
  private final int length;
  private final Lack lack;
  private final ToLongFunction<D> freeBytes;
  private final NavigableMap<Key, D> ordered;
  private final Map<D, Key> keys = new HashMap<>();
  private final Set<D> stale = new LinkedHashSet<>();

  /// A list of at most `length` of the devices.
  ///
  /// @param freeBytes what an instance could have there, once those that idle have gone
  public Shortlist(Collection<D> devices, Lack lack, int length, ToLongFunction<D> freeBytes) {
    this.whole = List.copyOf(devices);
    this.length = length;
    this.lack = lack;
    this.freeBytes = freeBytes;
    Comparator<Key> fullestFirst =
        lack == Lack.MEMORY
            ? Comparator.comparingLong(Key::freeBytes)
            : Comparator.comparingDouble(Key::load).reversed();
    this.ordered = new TreeMap<>(fullestFirst.thenComparingInt(Key::number));
    for (D device : whole) {
      add(device, keys.size());
    }
  }

  private void add(D device, int number) {
    Key key = new Key(freeBytes.applyAsLong(device), device.load(), number);
    keys.put(device, key);
    ordered.put(key, device);
  }

  /// A device's memory or work is no longer what it was.
  public void changed(D device) {
    stale.add(device);
  }

  /// Half of the list are devices where `bytes` are free and whose load is at most `mostLoad`, the
  /// fullest first. The other half are the emptiest, where nothing stands in the way, or, when
  /// something does even there, it can be said what.
  public List<D> devices(long bytes, double mostLoad) {
    if (whole.size() <= length) {
      return whole;
    }
    refresh();
    Key from = lack == Lack.MEMORY ? new Key(bytes, 0, -1) : new Key(0, mostLoad, -1);
    Set<D> list = new LinkedHashSet<>();
    int looks = length * LOOKS;
    for (var entry : ordered.tailMap(from).entrySet()) {
      Key key = entry.getKey();
      if (key.freeBytes >= bytes && key.load <= mostLoad) {
        list.add(entry.getValue());
      }
      if (list.size() >= length / 2 || --looks == 0) {
        break;
      }
    }
    for (D device : ordered.descendingMap().values()) {
      if (list.size() >= length) {
        break;
      }
      list.add(device);
    }
    return List.copyOf(list);
  }

  private void refresh() {
    for (D device : stale) {
      Key key = keys.get(device);
      if (key != null) {
        ordered.remove(key);
        add(device, key.number);
      }
    }
    stale.clear();
  }

  /// What a pool's devices run out of first.
  public enum Lack {
    /// Graphics cards.
    MEMORY,
    /// Processors.
    TIME
  }

  private record Key(long freeBytes, double load, int number) {}
}
