package dev.weft.platform.control;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.WeftConfig;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.function.Function;

/// The supervisors of all devices of this machine.
@Singleton
public final class RuntimeSupervision {
  private final RuntimeLauncher launcher;
  private final LocalDevices devices;
  private final Function<DeviceId, RuntimeSupervisor> supervisor;
  private List<RuntimeSupervisor> supervisors = List.of();

  public RuntimeSupervision(
      RuntimeLauncher launcher,
      LocalDevices devices,
      RuntimeClient client,
      Fleet fleet,
      WeftConfig config,
      MeterRegistry metrics) {
    this.launcher = launcher;
    this.devices = devices;
    this.supervisor =
        device -> new RuntimeSupervisor(device, launcher, client, fleet, config, metrics);
  }

  public void start() {
    List<DeviceId> ids = devices.all().stream().map(LocalDevice::id).toList();
    Thread.ofVirtual().name("left-runtimes").start(() -> endOthers(ids));
    supervisors = ids.stream().map(supervisor).toList();
    supervisors.forEach(RuntimeSupervisor::start);
  }

  private void endOthers(List<DeviceId> ids) {
    try {
      launcher.endOthers(ids);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Drains and ends every runtime.
  public void stop() throws InterruptedException {
    for (RuntimeSupervisor supervisor : supervisors) {
      supervisor.stop();
    }
  }
}
