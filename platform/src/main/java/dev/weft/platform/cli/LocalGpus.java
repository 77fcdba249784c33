package dev.weft.platform.cli;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.HostGpus;
import dev.weft.platform.management.ManagementApi.DeviceView;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

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

  /// Says a line for each as soon as it is known what became of its runtime, or time is up; or one
  /// that says why none is used.
  static void tell(
      HostGpus there, Supplier<List<DeviceView>> devices, Duration limit, Consumer<String> say) {
    switch (there) {
      case HostGpus.Found(List<HostGpus.Gpu> gpus) -> follow(gpus, devices, limit, say);
      case HostGpus.None(String reason) -> say.accept("No GPU is used: %s%n".formatted(reason));
    }
  }

  private static void follow(
      List<HostGpus.Gpu> gpus,
      Supplier<List<DeviceView>> devices,
      Duration limit,
      Consumer<String> say) {
    Instant end = Instant.now().plus(limit);
    List<HostGpus.Gpu> left = new ArrayList<>(gpus);
    while (true) {
      boolean late = !Instant.now().isBefore(end);
      List<DeviceView> seen = devices.get();
      left.removeIf(gpu -> {
        boolean known = late || find(gpu, seen).filter(DeviceView::starts).isEmpty();
        if (known) {
          say.accept(line(gpu, seen));
        }
        return known;
      });
      if (left.isEmpty()) {
        return;
      }
      LocalPlatform.pause();
    }
  }

  private static DeviceId id(HostGpus.Gpu gpu) {
    return new DeviceId("gpu-" + gpu.index());
  }

  private static Optional<DeviceView> find(HostGpus.Gpu gpu, List<DeviceView> devices) {
    return devices.stream().filter(device -> device.device().equals(id(gpu))).findFirst();
  }

  private static String line(HostGpus.Gpu gpu, List<DeviceView> devices) {
    String runtime =
        find(gpu, devices)
            .map(TopCommand::state)
            .map("its runtime is %s"::formatted)
            .orElse("no runtime is started for it (weft.devices)");
    return "%s: %s, %s%n".formatted(id(gpu), describe(gpu), runtime);
  }
}
