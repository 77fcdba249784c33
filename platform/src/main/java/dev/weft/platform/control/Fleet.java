package dev.weft.platform.control;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import jakarta.inject.Singleton;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The latest snapshot of every device, as its runtime published it. A device whose runtime is away
/// stays in the snapshot with the reason, so that callers can be told. **thread**: any; a reader
/// sees one whole snapshot.
@Singleton
public final class Fleet {
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  private final Map<DeviceId, DeviceStatus> published = new HashMap<>();
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
  ///
  /// @param drained devices that are to take nothing new and to let go of what they have; their
  ///   status says that they are draining
  public record Snapshot(long version, Map<DeviceId, Device> devices, Set<DeviceId> drained) {
    public Snapshot {
      devices = Map.copyOf(devices);
      drained = Set.copyOf(drained);
    }

    /// None of them drained.
    public Snapshot(long version, Map<DeviceId, Device> devices) {
      this(version, devices, Set.of());
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

    /// Those of one revision, in the order of their devices' ids. Every request asks: what has
    /// nothing of the revision is passed over without a trace.
    public List<Placed> instancesOf(RevisionId revision) {
      List<Placed> placed = new ArrayList<>();
      for (Device device : devices.values()) {
        DeviceStatus status = device.status();
        if (status == null || !device.reachable()) {
          continue;
        }
        for (InstanceStatus instance : status.instances()) {
          if (instance.revision().equals(revision)) {
            placed.add(new Placed(device, instance));
          }
        }
      }
      placed.sort(Comparator.comparing(each -> each.device().id().value()));
      return List.copyOf(placed);
    }

    /// What the reachable runtimes publish that have something of a revision, by their ids.
    public List<DeviceStatus> statusesWith(RevisionId revision) {
      return instancesOf(revision).stream().flatMap(placed -> statusOf(placed.device())).toList();
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
    synchronized (this) {
      published.put(status.device(), status);
      replace(new Device(status.device(), status, address, null), snapshot.drained());
    }
    tell();
  }

  /// Notes that a device's runtime is away.
  void away(DeviceId id, String reason) {
    synchronized (this) {
      Device before = snapshot.devices().get(id);
      replace(
          new Device(id, before == null ? null : before.status(), null, reason),
          snapshot.drained());
    }
    tell();
  }

  /// Says whether a device is to be drained. Returns whether there is such a device.
  boolean drain(DeviceId id, boolean wanted) {
    synchronized (this) {
      Device device = snapshot.devices().get(id);
      if (device == null) {
        return false;
      }
      Set<DeviceId> drained = new HashSet<>(snapshot.drained());
      if (wanted) {
        drained.add(id);
      } else {
        drained.remove(id);
      }
      replace(new Device(id, published.get(id), device.address(), device.absence()), drained);
    }
    tell();
    return true;
  }

  /// Notes that a request found no runtime at `address`, unless another has taken its place since.
  public void suspect(DeviceId id, RuntimeAddress address) {
    Device device = snapshot.devices().get(id);
    if (device != null && address.equals(device.address())) {
      away(id, "the runtime does not answer");
    }
  }

  private void replace(Device device, Set<DeviceId> drained) {
    DeviceStatus status = device.status();
    Device seen =
        status != null && drained.contains(device.id())
            ? new Device(
                device.id(),
                status.in(DeviceStatus.Phase.DRAINING),
                device.address(),
                device.absence())
            : device;
    Map<DeviceId, Device> devices = new HashMap<>(snapshot.devices());
    devices.put(device.id(), seen);
    snapshot = new Snapshot(snapshot.version() + 1, devices, drained);
  }

  private void tell() {
    listeners.forEach(Runnable::run);
  }

  private static Stream<DeviceStatus> statusOf(Device device) {
    DeviceStatus status = device.status();
    return status == null ? Stream.empty() : Stream.of(status);
  }
}
