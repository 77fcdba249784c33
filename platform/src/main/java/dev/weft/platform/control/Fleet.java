package dev.weft.platform.control;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import jakarta.inject.Singleton;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The latest snapshot of every device, as its runtime published it. A device whose runtime is away
/// stays in the snapshot with the reason, so that callers can be told. **thread**: any; a reader of
/// a snapshot sees one whole, and who asks for a revision's instances those of this moment.
@Singleton
public final class Fleet {
  /// The absence of a device whose runtime has just been started.
  public static final String STARTING = "the runtime is starting";

  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  private final Map<DeviceId, DeviceStatus> published = new HashMap<>();
  private final Map<DeviceId, Device> devices = new HashMap<>();
  private final Set<DeviceId> drained = new HashSet<>();
  private final Placements placements = new Placements();
  private volatile int reachable;
  private volatile long version;
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
  public record Placed(Device device, InstanceStatus instance) {
    /// What the device's runtime published last.
    public DeviceStatus status() {
      return Objects.requireNonNull(device.status());
    }
  }

  /// All devices at one moment; `version` grows with every change.
  public static final class Snapshot {
    private final long version;
    private final Map<DeviceId, Device> devices;
    private final Set<DeviceId> drained;
    private final Placements placements = new Placements();

    /// @param drained devices that are to take nothing new and to let go of what they have; their
    ///   status says that they are draining
    public Snapshot(long version, Map<DeviceId, Device> devices, Set<DeviceId> drained) {
      this.version = version;
      this.devices = Map.copyOf(devices);
      this.drained = Set.copyOf(drained);
      this.devices.values().forEach(device -> placements.replace(null, device));
    }

    /// None of them drained.
    public Snapshot(long version, Map<DeviceId, Device> devices) {
      this(version, devices, Set.of());
    }

    public long version() {
      return version;
    }

    public Map<DeviceId, Device> devices() {
      return devices;
    }

    public Set<DeviceId> drained() {
      return drained;
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

    /// Those of one revision, in the order of their devices' ids.
    public List<Placed> instancesOf(RevisionId revision) {
      return placements.of(revision);
    }

    /// The bytes of its weights, as far as any device knows; else 0.
    public long weightBytes(RevisionId revision) {
      return instancesOf(revision).stream()
          .mapToLong(placed -> placed.instance().weightBytes())
          .max()
          .orElse(0);
    }

    /// Whether it is on a device that is drained.
    public boolean drained(Placed placed) {
      return drained.contains(placed.device().id());
    }

    public Optional<Device> find(DeviceId id) {
      return Optional.ofNullable(devices.get(id));
    }
  }

  /// All devices as they are now. It is made when somebody asks, not with every status that comes.
  public Snapshot snapshot() {
    Snapshot made = snapshot;
    return made.version() == version ? made : makeSnapshot();
  }

  private synchronized Snapshot makeSnapshot() {
    if (snapshot.version() != version) {
      snapshot = new Snapshot(version, devices, drained);
    }
    return snapshot;
  }

  /// The instances of a revision on reachable devices, in the order of the devices' ids. Every
  /// request asks, so this costs the same however many devices there are.
  public List<Placed> instancesOf(RevisionId revision) {
    return placements.of(revision);
  }

  /// How many devices can be reached.
  public int reachable() {
    return reachable;
  }

  /// Calls `listener` after each change, in the thread that brought it; it must return quickly.
  public void onChange(Runnable listener) {
    listeners.add(listener);
  }

  /// Takes what the runtime at `address` published.
  void update(DeviceStatus status, RuntimeAddress address) {
    synchronized (this) {
      published.put(status.device(), status);
      replace(new Device(status.device(), status, address, null));
    }
    tell();
  }

  /// Notes that a device's runtime is away.
  void away(DeviceId id, String reason) {
    synchronized (this) {
      Device before = devices.get(id);
      replace(new Device(id, before == null ? null : before.status(), null, reason));
    }
    tell();
  }

  /// Takes a device out that will not come back.
  void forget(DeviceId id) {
    synchronized (this) {
      if (!devices.containsKey(id)) {
        return;
      }
      replace(new Device(id, null, null, "it is gone"));
      devices.remove(id);
      published.remove(id);
      drained.remove(id);
    }
    tell();
  }

  /// Says whether a device is to be drained. Returns whether there is such a device.
  boolean drain(DeviceId id, boolean wanted) {
    synchronized (this) {
      Device device = devices.get(id);
      if (device == null) {
        return false;
      }
      if (wanted) {
        drained.add(id);
      } else {
        drained.remove(id);
      }
      replace(new Device(id, published.get(id), device.address(), device.absence()));
    }
    tell();
    return true;
  }

  /// Notes that a request found no runtime at `address`, unless another has taken its place since.
  public void suspect(DeviceId id, RuntimeAddress address) {
    synchronized (this) {
      Device device = devices.get(id);
      if (device == null || !address.equals(device.address())) {
        return;
      }
      replace(new Device(id, device.status(), null, "the runtime does not answer"));
    }
    tell();
  }

  private synchronized void replace(Device device) {
    DeviceStatus status = device.status();
    Device seen =
        status != null && drained.contains(device.id())
            ? new Device(
                device.id(),
                status.in(DeviceStatus.Phase.DRAINING),
                device.address(),
                device.absence())
            : device;
    Device before = devices.put(device.id(), seen);
    placements.replace(before, seen);
    reachable += (seen.reachable() ? 1 : 0) - (before != null && before.reachable() ? 1 : 0);
    version++;
  }

  private void tell() {
    listeners.forEach(Runnable::run);
  }

  private static Stream<DeviceStatus> statusOf(Device device) {
    DeviceStatus status = device.status();
    return status == null ? Stream.empty() : Stream.of(status);
  }
}
