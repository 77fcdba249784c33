package dev.weft.platform.control;

import dev.weft.platform.config.WeftConfig;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.inject.Singleton;
import java.util.List;

/// The supervisors of all devices of this machine: one or several CPU devices.
@Singleton
public final class RuntimeSupervision {
  private final RuntimeLauncher launcher;
  private final List<CpuDevice> devices;
  private final List<RuntimeSupervisor> supervisors;

  public RuntimeSupervision(
      RuntimeLauncher launcher,
      RuntimeClient client,
      Fleet fleet,
      WeftConfig config,
      MeterRegistry metrics) {
    this.launcher = launcher;
    this.devices = CpuDevice.of(config.runtime());
    this.supervisors =
        devices.stream()
            .map(device ->
                new RuntimeSupervisor(device.id(), launcher, client, fleet, config, metrics))
            .toList();
  }

  public void start() {
    Thread.ofVirtual().name("left-runtimes").start(this::endOthers);
    supervisors.forEach(RuntimeSupervisor::start);
  }

  private void endOthers() {
    try {
      launcher.endOthers(devices.stream().map(CpuDevice::id).toList());
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
