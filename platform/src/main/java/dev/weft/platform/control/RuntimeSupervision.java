package dev.weft.platform.control;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.WeftConfig;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.inject.Singleton;
import java.util.List;

/// The supervisors of all devices of this machine. In this version there is one CPU device.
@Singleton
public final class RuntimeSupervision {
  public static final DeviceId CPU = new DeviceId("cpu-0");

  private final List<RuntimeSupervisor> supervisors;

  public RuntimeSupervision(
      RuntimeLauncher launcher,
      RuntimeClient client,
      Fleet fleet,
      WeftConfig config,
      MeterRegistry metrics) {
    this.supervisors =
        List.of(new RuntimeSupervisor(CPU, launcher, client, fleet, config, metrics));
  }

  public void start() {
    supervisors.forEach(RuntimeSupervisor::start);
  }

  /// Drains and ends every runtime.
  public void stop() throws InterruptedException {
    for (RuntimeSupervisor supervisor : supervisors) {
      supervisor.stop();
    }
  }
}
