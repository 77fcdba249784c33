package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.profile.RefinedProfile.Margin;
import dev.weft.functions.DeviceClass;

/// A simulated device.
///
/// @param kind by which models know their step times
/// @param instanceBytes what an instance takes beside weights and KV
/// @param growsKv whether KV memory grows while an instance runs
/// @param loadNanos a load's time whatever the size
/// @param loadNanosPerGib its time for each GiB of weights
/// @param resizeNanosPerGib time to grow or shrink KV memory, for each GiB of difference
/// @param unloadNanos time until an instance's memory is free again
/// @param timeFactor by which its step times are multiplied, for a device that gets a part of the
///   time of one, or is slower than its profiles say
/// @param cache where weights are loaded from
public record DeviceSpec(
    String name,
    String kind,
    DeviceClass deviceClass,
    long memoryBytes,
    long instanceBytes,
    boolean growsKv,
    long loadNanos,
    long loadNanosPerGib,
    long resizeNanosPerGib,
    long unloadNanos,
    Margin margin,
    double timeFactor,
    Cache cache) {
  private static final double GIB = 1L << 30;

  /// How long weights take to load that are near.
  public long loadNanos(long bytes) {
    return loadNanos + (long) (bytes / GIB * loadNanosPerGib);
  }

  /// How long they take to be fetched before that.
  public long fetchNanos(long bytes) {
    return (long) (bytes / GIB * cache.fetchNanosPerGib);
  }

  /// How long KV memory takes to change by so many bytes.
  public long resizeNanos(long bytes) {
    return (long) (Math.abs(bytes) / GIB * resizeNanosPerGib);
  }

  /// One of two static halves: half of the memory, each step twice as long.
  public DeviceSpec half(int number) {
    return copy(name + "/" + number, memoryBytes / 2, 2 * timeFactor, cache);
  }

  /// The same whose steps take `factor` times as long as its profiles say.
  public DeviceSpec slower(double factor) {
    return copy(name, memoryBytes, factor * timeFactor, cache);
  }

  /// The same with another cache.
  public DeviceSpec with(Cache other) {
    return copy(name, memoryBytes, timeFactor, other);
  }

  private DeviceSpec copy(String newName, long newBytes, double newFactor, Cache newCache) {
    return new DeviceSpec(
        newName,
        kind,
        deviceClass,
        newBytes,
        instanceBytes,
        growsKv,
        loadNanos,
        loadNanosPerGib,
        resizeNanosPerGib,
        unloadNanos,
        margin,
        newFactor,
        newCache);
  }

  /// Where weights are near the device.
  ///
  /// @param bytes how many
  /// @param fetchNanosPerGib what others take in addition, for each GiB
  public record Cache(long bytes, long fetchNanosPerGib) {
    /// All weights are near.
    public static final Cache ALL = new Cache(Long.MAX_VALUE, 0);
  }
}
