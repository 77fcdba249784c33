package dev.weft.autoscaler.admission;

import dev.weft.autoscaler.memory.EvictionPlan;
import dev.weft.autoscaler.memory.EvictionPlan.Candidate;
import dev.weft.autoscaler.memory.EvictionPlan.Eviction;
import dev.weft.autoscaler.memory.ModelFootprint;
import dev.weft.functions.ByteSize;
import java.util.List;

/// Whether a model fits a device: now, once idle instances have gone, later, or never. Each answer
/// has its arithmetic as a sentence for people.
///
/// Instances compute in the same memory, one after the other: it is as large as the largest needs,
/// and counts once.
public final class InstanceFit {
  private InstanceFit() {}

  public static Outcome decide(ModelFootprint model, Device device) {
    long neededBytes = model.leastBytes();
    String needs = "needs " + model.describe();
    if (neededBytes > device.capacityBytes()) {
      return new Never(
          neededBytes - device.capacityBytes(),
          "%s, the device has %s".formatted(needs, ByteSize.format(device.capacityBytes())));
    }
    String room =
        "%s; the device has %s, of which %s are free"
            .formatted(
                needs,
                ByteSize.format(device.capacityBytes()),
                ByteSize.format(device.freeBytes()));
    long shared = Math.min(model.activationBytes(), device.activationBytes());
    long free = device.freeBytes() + shared;
    return switch (EvictionPlan.decide(neededBytes, free, device.instances())) {
      case EvictionPlan.NotNeeded() -> new FitsNow(room);
      case EvictionPlan.Evict(var evictions) -> new FitsAfter(evictions, room);
      case EvictionPlan.NotEnough(var missingBytes, var reason) ->
          device.activationBytesOfAll(model) + missingBytes <= device.activationBytes()
              ? new FitsAfter(EvictionPlan.all(device.instances()), room)
              : new NotNow(missingBytes, room + ". " + reason);
    };
  }

  /// A device's memory and who holds it.
  ///
  /// @param plannedBytes what is promised already
  /// @param activationBytes of these, what the instances compute in
  public record Device(
      long capacityBytes, long plannedBytes, long activationBytes, List<Candidate> instances) {
    public Device {
      instances = List.copyOf(instances);
      if (plannedBytes < 0 || plannedBytes > capacityBytes) {
        throw new IllegalArgumentException(
            "planned %d of %d bytes".formatted(plannedBytes, capacityBytes));
      }
    }

    public long freeBytes() {
      return capacityBytes - plannedBytes;
    }

    /// What would be computed in, were `newcomer` here and all who may go gone.
    private long activationBytesOfAll(ModelFootprint newcomer) {
      long staying =
          instances.stream()
              .filter(instance -> !instance.evictable())
              .mapToLong(Candidate::activationBytes)
              .max()
              .orElse(0);
      return Math.max(staying, newcomer.activationBytes());
    }
  }

  /// What was decided.
  public sealed interface Outcome {
    String reason();
  }

  /// There is room.
  public record FitsNow(String reason) implements Outcome {}

  /// There is room once these have gone.
  public record FitsAfter(List<Eviction> evictions, String reason) implements Outcome {
    public FitsAfter {
      evictions = List.copyOf(evictions);
    }
  }

  /// Busy or pinned instances hold what is missing.
  public record NotNow(long missingBytes, String reason) implements Outcome {}

  /// The empty device is too small.
  public record Never(long missingBytes, String reason) implements Outcome {}
}
