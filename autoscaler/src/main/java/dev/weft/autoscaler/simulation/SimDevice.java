package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.memory.MemoryProtocol;
import dev.weft.autoscaler.memory.WeightCache;
import dev.weft.autoscaler.placement.ClusterLoad;
import dev.weft.autoscaler.profile.MeasuredProfile;
import dev.weft.autoscaler.profile.RefinedProfile;
import dev.weft.functions.DeviceClass;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A simulated device: what it holds, and the step that it runs.
final class SimDevice implements ClusterLoad.Device {
  final DeviceSpec spec;
  final int number;
  private final Events clock;
  private final boolean foresees;
  final List<SimInstance> instances = new ArrayList<>();
  MemoryProtocol<SimInstance> memory;

  /// By identity: a model's hash is one of all its measured times.
  private final IdentityHashMap<ModelSpec, RefinedProfile> profiles = new IdentityHashMap<>();

  private final IdentityHashMap<ModelSpec, MeasuredProfile> truths = new IdentityHashMap<>();
  private final WeightCache<Integer> cache;
  private Consumer<SimDevice> watcher = _ -> {};

  boolean alive = true;
  double slowness = 1;

  /// The step that runs, or `null`; the prompt that it computes, or `null` when it decodes.
  @Nullable SimInstance running;

  @Nullable SimRequest prompt;
  int stepsLeft;
  long stepBegan;
  long stepEnds;

  /// Grows when the device dies, so that what was under way ends in nothing.
  long life;

  /// What is really held, counted apart from the protocol.
  long physicalBytes;

  private double share;
  private boolean shareKnown;

  SimDevice(DeviceSpec spec, int number, Events clock, boolean foresees) {
    this.foresees = foresees;
    this.clock = clock;
    this.spec = spec;
    this.number = number;
    this.memory = new MemoryProtocol<>(spec.memoryBytes());
    this.cache = new WeightCache<>(spec.cache().bytes());
  }

  RefinedProfile times(ModelSpec model) {
    return profiles.computeIfAbsent(
        model, m -> new RefinedProfile(onKind(m).table(), spec.margin()));
  }

  /// How long steps really take, before noise and slowness.
  MeasuredProfile truth(ModelSpec model) {
    return truths.computeIfAbsent(model, m -> new MeasuredProfile(onKind(m).table()));
  }

  boolean runs(ModelSpec model) {
    return model.kinds().containsKey(spec.kind());
  }

  ModelSpec.OnKind onKind(ModelSpec model) {
    ModelSpec.OnKind on = model.kinds().get(spec.kind());
    if (on == null) {
      throw new IllegalArgumentException(
          "%s has no times of %s".formatted(model.name(), spec.kind()));
    }
    return on;
  }

  /// Its instances' work or memory changed.
  void changed() {
    shareKnown = false;
    watcher.accept(this);
  }

  long now() {
    return clock.now();
  }

  /// How long a function's weights take until they are here, by where they are now.
  long loadNanos(SimFunction function) {
    long bytes = function.model.weightBytes();
    return spec.loadNanos(bytes) + (isNear(function) ? 0 : spec.fetchNanos(bytes));
  }

  private boolean isNear(SimFunction function) {
    return spec.cache().equals(DeviceSpec.Cache.ALL) || cache.holds(function.number);
  }

  /// All bytes of an instance with so many KV tokens.
  long bytesFor(ModelSpec model, long tokens) {
    return model.weightBytes() + spec.instanceBytes() + tokens * model.kvBytesPerToken();
  }

  /// A function's weights come from the cache, or through it.
  void loads(SimFunction function) {
    cache.used(function.number, function.model.weightBytes());
  }

  /// Whether who is called soon is told from the history of calls.
  boolean foresees() {
    return foresees;
  }

  /// Has somebody told of each change.
  void watch(Consumer<SimDevice> watcher) {
    this.watcher = watcher;
  }

  /// What a new instance could have, once those that idle have gone.
  long freeBytes() {
    return roomBytes() + idleBytes(null);
  }

  @Override
  public List<SimInstance> instances() {
    return instances;
  }

  @Override
  public long roomBytes() {
    return memory.roomBytes();
  }

  @Override
  public long idleBytesBeside(InstanceLoad instance) {
    return idleBytes(instance);
  }

  private long idleBytes(@Nullable InstanceLoad beside) {
    long bytes = 0;
    for (int i = 0; i < instances.size(); i++) {
      SimInstance other = instances.get(i);
      if (other != beside && other.idleSince < Long.MAX_VALUE) {
        bytes += other.plannedBytes();
      }
    }
    return bytes;
  }

  @Override
  public boolean growsKv() {
    return spec.growsKv();
  }

  @Override
  public long freeAt() {
    return stepEnds;
  }

  @Override
  public String name() {
    return spec.name();
  }

  @Override
  public boolean empty() {
    for (int i = 0; i < instances.size(); i++) {
      if (instances.get(i).idleSince == Long.MAX_VALUE) {
        return false;
      }
    }
    return true;
  }

  @Override
  public boolean lacksTime() {
    return spec.deviceClass() == DeviceClass.CPU;
  }

  @Override
  public double load() {
    return lacksTime() ? decodeShare() : (double) memory.plannedBytes() / memory.capacityBytes();
  }

  private double decodeShare() {
    if (!shareKnown) {
      share = 0;
      for (int i = 0; i < instances.size(); i++) {
        if (instances.get(i).batch() > 0) {
          share += ShadowValidation.decodeShare(instances.get(i));
        }
      }
      shareKnown = true;
    }
    return share;
  }
}
