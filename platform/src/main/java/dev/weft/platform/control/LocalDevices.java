package dev.weft.platform.control;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.HostGpus;
import dev.weft.platform.config.WeftConfig;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The devices of this machine that there are runtimes for, as `weft.devices` says. They are looked
/// for once, when somebody first asks, which may take a second. **thread**: any.
@Singleton
public final class LocalDevices {
  private static final Logger LOG = LoggerFactory.getLogger(LocalDevices.class);

  private final WeftConfig config;
  private final Supplier<HostGpus> gpus;
  private @Nullable List<LocalDevice> found;

  @Inject
  public LocalDevices(WeftConfig config) {
    this(
        config,
        () ->
            HostGpus.ask(RuntimeCommand.gpuClasspath(config), config.runtime().gpu().mainClass()));
  }

  LocalDevices(WeftConfig config, Supplier<HostGpus> gpus) {
    this.config = config;
    this.gpus = gpus;
  }

  /// Processors first.
  synchronized List<LocalDevice> all() {
    List<LocalDevice> known = found;
    if (known == null) {
      known = find();
      found = known;
    }
    return known;
  }

  LocalDevice get(DeviceId id) {
    return all().stream()
        .filter(device -> device.id().equals(id))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no device is configured as " + id));
  }

  private List<LocalDevice> find() {
    Set<LocalDevice> devices = new LinkedHashSet<>();
    for (String word : config.devices().split(",", -1)) {
      String name = word.strip();
      switch (name) {
        case "auto" -> {
          devices.addAll(cpus(config.runtime()));
          if (HostGpus.maybe()) {
            devices.addAll(gpus());
          }
        }
        case "cpu" -> devices.addAll(cpus(config.runtime()));
        case "gpu" -> {
          List<LocalDevice> all = gpus();
          // Its runtime says what is missing, again and again until it is there.
          devices.addAll(all.isEmpty() ? List.of(new LocalDevice.Gpu(0)) : all);
        }
        default -> devices.add(gpu(name));
      }
    }
    return List.copyOf(devices);
  }

  private static LocalDevice gpu(String name) {
    if (!name.matches("gpu:\\d{1,3}")) {
      throw new IllegalArgumentException(
          "weft.devices has '%s'; it is a list of auto, cpu, gpu and gpu:N".formatted(name));
    }
    return new LocalDevice.Gpu(Integer.parseInt(name.substring("gpu:".length())));
  }

  /// One for each set of processors that is configured, or one for all, in the order of their sets.
  private static List<LocalDevice> cpus(WeftConfig.RuntimeProcess runtime) {
    if (runtime.cpus().isEmpty()) {
      return List.of(new LocalDevice.Cpu(cpuId(0), Optional.empty()));
    }
    List<LocalDevice> devices = new ArrayList<>();
    for (String cpus : runtime.cpus().get().split(";", -1)) {
      if (cpus.isBlank()) {
        throw new IllegalArgumentException(
            "weft.runtime.cpus '%s' has an empty set".formatted(runtime.cpus().get()));
      }
      devices.add(new LocalDevice.Cpu(cpuId(devices.size()), Optional.of(cpus.strip())));
    }
    return devices;
  }

  private static DeviceId cpuId(int index) {
    return new DeviceId("cpu-" + index);
  }

  private List<LocalDevice> gpus() {
    return switch (gpus.get()) {
      case HostGpus.Found(List<HostGpus.Gpu> all) ->
          all.stream().<LocalDevice>map(gpu -> new LocalDevice.Gpu(gpu.index())).toList();
      case HostGpus.None(String reason) -> {
        LOG.atWarn().addKeyValue("reason", reason).log("no GPU is used");
        yield List.of();
      }
    };
  }
}
