package dev.weft.runtime.instance;

import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.DeviceStatus.Capability;
import dev.weft.functions.instance.DeviceStatus.Chunks;
import dev.weft.functions.instance.DeviceStatus.Memory;
import dev.weft.functions.instance.DeviceStatus.Phase;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.VirtualTensor;
import java.time.Duration;
import java.util.Set;

/// Makes a [DeviceStatus] of what the manager's parts say now.
final class SnapshotMaker {
  private final InstanceManager.Device device;
  private final Instances instances;

  SnapshotMaker(InstanceManager.Device device, Instances instances) {
    this.device = device;
    this.instances = instances;
  }

  DeviceStatus make(long version) {
    MemoryLedger.Snapshot memory = device.ledger().snapshot();
    ChunkPool.Snapshot chunks = device.balloon().pool().snapshot();
    return new DeviceStatus(
        device.identity().device(),
        device.backend().deviceClass(),
        device.identity().runtimeId(),
        version,
        instances.draining() ? Phase.DRAINING : Phase.READY,
        new Memory(
            memory.capacityBytes(),
            memory.plannedBytes(),
            memory.actualBytes(),
            new Chunks(
                chunks.chunkBytes(),
                chunks.total(),
                chunks.held(),
                chunks.held(VirtualTensor.Kind.ACTIVATION)),
            device.engine().kvLasts().map(Duration::toMillis).orElse(null)),
        device.backend().quantizations(),
        Set.of(Capability.GROWS_KV),
        instances.statuses());
  }
}
