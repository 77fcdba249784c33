package dev.weft.platform.cli;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.HostGpus;
import dev.weft.platform.management.ManagementApi.DeviceView;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// What commands say of this machine's GPUs.
final class LocalGpus {
  private LocalGpus() {}

  /// Asks the GPU runtime that is installed here, which may take a second; empty where the system
  /// has no sign of a GPU.
  static Optional<HostGpus> find() {
    if (!HostGpus.maybe()) {
      return Optional.empty();
    }
    Path app = Path.of(System.getProperty("weft.dist"), "runtime-gpu/target/app");
    return Optional.of(HostGpus.ask(app + "/*", HostGpus.MAIN_CLASS));
  }

  static String describe(HostGpus.Gpu gpu) {
    return "%s (%s, %s)"
        .formatted(gpu.name(), gpu.architecture(), Terminal.bytes(gpu.memoryBytes()));
  }

  /// A line for each, with what became of its runtime; or one that says why none is used.
  static String text(HostGpus there, List<DeviceView> devices) {
    return switch (there) {
      case HostGpus.Found(List<HostGpus.Gpu> gpus) ->
          gpus.stream().map(gpu -> line(gpu, devices)).collect(Collectors.joining());
      case HostGpus.None(String reason) -> "No GPU is used: %s%n".formatted(reason);
    };
  }

  private static String line(HostGpus.Gpu gpu, List<DeviceView> devices) {
    var id = new DeviceId("gpu-" + gpu.index());
    String runtime =
        devices.stream()
            .filter(device -> device.device().equals(id))
            .findFirst()
            .map(TopCommand::state)
            .map("its runtime is %s"::formatted)
            .orElse("no runtime is started for it (weft.devices)");
    return "%s: %s, %s%n".formatted(id, describe(gpu), runtime);
  }
}
