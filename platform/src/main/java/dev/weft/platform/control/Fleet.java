package dev.weft.platform.control;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The latest snapshot of every device, as its runtime published it. A device whose runtime is away
/// stays in the snapshot with the reason, so that callers can be told. **thread**: any; a reader
/// sees one whole snapshot.
@Singleton
public final class Fleet {
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  private volatile Snapshot snapshot = new Snapshot(0, Map.of());

  /// One device.
  ///
  /// @param status the last that its runtime published; `null` before the first
  /// @param address where to reach it; `null` while it is away
  /// @param absence why it is away; `null` when it is not
  public record Device(
      DeviceId id,
      @Nullable DeviceStatus status,
      @Nullable RuntimeAddress address,
      @Nullable String absence) {
    public boolean reachable() {
      return status != null && address != null;
    }

    /// Whether it takes new work.
    public boolean serving() {
      return status != null && address != null && status.phase() == DeviceStatus.Phase.READY;
    }
  }

  /// One instance and the device that it is on.
  public record Placed(Device device, InstanceStatus instance) {}

  /// All devices at one moment; `version` grows with every change.
  public record Snapshot(long version, Map<DeviceId, Device> devices) {
    public Snapshot {
      devices = Map.copyOf(devices);
    }

    /// In the order of their ids.
    public List<Device> sorted() {
      return devices.values().stream()
          .sorted((a, b) -> a.id().value().compareTo(b.id().value()))
          .toList();
    }

    /// What reachable runtimes publish.
    public List<DeviceStatus> statuses() {
      return sorted().stream().filter(Device::reachable).flatMap(Fleet::statusOf).toList();
    }

    /// The instances of reachable runtimes.
    public List<Placed> instances() {
      return sorted().stream()
          .filter(Device::reachable)
          .flatMap(device ->
              statusOf(device)
                  .flatMap(status -> status.instances().stream())
                  .map(instance -> new Placed(device, instance)))
          .toList();
    }

    public List<Placed> instancesOf(RevisionId revision) {
      return instances().stream()
          .filter(placed -> placed.instance().revision().equals(revision))
          .toList();
    }

    public Optional<Device> find(DeviceId id) {
      return Optional.ofNullable(devices.get(id));
    }
  }

  public Snapshot snapshot() {
    return snapshot;
  }

  /// Calls `listener` after each change, in the thread that brought it; it must return quickly.
  public void onChange(Runnable listener) {
    listeners.add(listener);
  }

  /// Takes what the runtime at `address` published.
  void update(DeviceStatus status, RuntimeAddress address) {
    replace(new Device(status.device(), status, address, null));
  }

  /// Notes that a device's runtime is away.
  void away(DeviceId id, String reason) {
    Device before = snapshot.devices().get(id);
    replace(new Device(id, before == null ? null : before.status(), null, reason));
  }

  /// Notes that a request found no runtime at `address`, unless another has taken its place since.
  public void suspect(DeviceId id, RuntimeAddress address) {
    Device device = snapshot.devices().get(id);
    if (device != null && address.equals(device.address())) {
      away(id, "the runtime does not answer");
    }
  }

  private void replace(Device device) {
    synchronized (this) {
      Map<DeviceId, Device> devices = new TreeMap<>((a, b) -> a.value().compareTo(b.value()));
      devices.putAll(snapshot.devices());
      devices.put(device.id(), device);
      snapshot = new Snapshot(snapshot.version() + 1, devices);
    }
    listeners.forEach(Runnable::run);
  }

  private static Stream<DeviceStatus> statusOf(Device device) {
    DeviceStatus status = device.status();
    return status == null ? Stream.empty() : Stream.of(status);
  }
}
