package dev.weft.functions.instance;

import com.fasterxml.jackson.annotation.JsonIgnore;
import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.functions.RevisionId;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a runtime says of its device: the authority that gateways and the controller work on
/// snapshots of.
///
/// @param version grows by one with every change, within one [#runtimeId]
/// @param runtimeId differs for each start of the runtime process
/// @param quantizations what this device can run
public record DeviceStatus(
    DeviceId device,
    DeviceClass deviceClass,
    String runtimeId,
    long version,
    Phase phase,
    Memory memory,
    Set<Quantization> quantizations,
    Set<Capability> capabilities,
    List<InstanceStatus> instances) {
  public DeviceStatus {
    quantizations = Set.copyOf(quantizations);
    capabilities = Set.copyOf(capabilities);
    instances = List.copyOf(instances);
  }

  /// The same in another phase.
  public DeviceStatus in(Phase other) {
    return new DeviceStatus(
        device,
        deviceClass,
        runtimeId,
        version,
        other,
        memory,
        quantizations,
        capabilities,
        instances);
  }

  /// The same as if the revision had never been there.
  public DeviceStatus without(RevisionId revision) {
    return new DeviceStatus(
        device,
        deviceClass,
        runtimeId,
        version,
        phase,
        memory,
        quantizations,
        capabilities,
        instances.stream().filter(instance -> !instance.revision().equals(revision)).toList());
  }

  /// The life of a runtime process.
  public enum Phase {
    STARTING,
    READY,
    DRAINING,
    FAILED
  }

  /// What a device can do beyond running a model.
  public enum Capability {
    /// KV memory may grow while an instance runs.
    GROWS_KV
  }

  /// Bytes of the device's memory: all that Weft may use, what is planned, what is held.
  ///
  /// @param chunks what KV memory, and the memory that steps compute in, is made of
  /// @param kvLastsMillis how long KV memory is expected to last for what runs now; `null` when its
  ///   end is not in sight
  public record Memory(
      long capacityBytes,
      long plannedBytes,
      long actualBytes,
      Chunks chunks,
      @Nullable Long kvLastsMillis) {
    /// One whose end is not in sight.
    public Memory(long capacityBytes, long plannedBytes, long actualBytes, Chunks chunks) {
      this(capacityBytes, plannedBytes, actualBytes, chunks, null);
    }

    /// Whether what runs now is expected to find memory for all of its tokens.
    @JsonIgnore
    public boolean lasts() {
      return kvLastsMillis == null;
    }

    public long freeBytes() {
      return capacityBytes - plannedBytes;
    }
  }

  /// The parts in which memory goes from one owner to another; [InstanceStatus.Blocks] has each
  /// instance's.
  ///
  /// @param bytes of one chunk
  /// @param total chunks that the device's memory is divided into; weights take their room from it
  ///   without taking chunks
  /// @param held chunks that somebody holds
  /// @param activations of these, what the steps of all instances compute in, one after the other
  public record Chunks(long bytes, int total, int held, int activations) {
    public static final Chunks NONE = new Chunks(0, 0, 0, 0);

    /// Bytes of the chunks that hold keys and values.
    @JsonIgnore
    public long kvBytes() {
      return (held - activations) * bytes;
    }

    /// Bytes of the chunks that steps compute in.
    @JsonIgnore
    public long activationBytes() {
      return activations * bytes;
    }
  }
}
