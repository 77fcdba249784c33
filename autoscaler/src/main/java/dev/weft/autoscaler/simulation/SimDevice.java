package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.memory.MemoryProtocol;
import dev.weft.autoscaler.placement.ClusterLoad;
import dev.weft.autoscaler.profile.MeasuredProfile;
import dev.weft.autoscaler.profile.RefinedProfile;
import dev.weft.functions.DeviceClass;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A simulated device: what it holds, and the step that it runs.
final class SimDevice implements ClusterLoad.Device {
  final DeviceSpec spec;
  final int number;
  final List<SimInstance> instances = new ArrayList<>();
  MemoryProtocol<SimInstance> memory;
  private final Map<ModelSpec, RefinedProfile> profiles = new HashMap<>();
  private final Map<ModelSpec, MeasuredProfile> truths = new HashMap<>();

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

  SimDevice(DeviceSpec spec, int number) {
    this.spec = spec;
    this.number = number;
    this.memory = new MemoryProtocol<>(spec.memoryBytes());
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

  /// Its instances' work changed.
  void changed() {
    shareKnown = false;
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
    long bytes = 0;
    for (int i = 0; i < instances.size(); i++) {
      SimInstance other = instances.get(i);
      if (other != instance && other.idleSince < Long.MAX_VALUE) {
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

  /// Time is what a processor lacks, memory a graphics card.
  @Override
  public double load() {
    return spec.deviceClass() == DeviceClass.CPU
        ? decodeShare()
        : (double) memory.plannedBytes() / memory.capacityBytes();
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
