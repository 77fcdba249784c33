package dev.weft.bench.load;

import dev.weft.functions.Json;
import dev.weft.functions.Revision;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The platform with real runtimes, each on processors of its own.
public final class LivePlatform extends PlatformServer {
  private final Options options;

  /// How to start it.
  ///
  /// @param build the directory that the platform's build writes to
  /// @param runtime the runtime's jars
  /// @param home its state; kept, it keeps profiles and packed weights
  /// @param cpus a set of processors for each device
  /// @param memory of each device
  /// @param exclusive whether a device serves one model at a time
  public record Options(
      Path build, String runtime, Path home, List<String> cpus, String memory, boolean exclusive) {
    public Options {
      cpus = List.copyOf(cpus);
    }
  }

  private LivePlatform(Options options, List<String> command, Path log) throws IOException {
    super(command, options.home(), log);
    this.options = options;
  }

  public static LivePlatform start(Options options, Path log) throws IOException {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("weft.devices", "cpu");
    settings.put("weft.runtime.classpath", options.runtime());
    settings.put("weft.runtime.cpus", String.join(";", options.cpus()));
    settings.put("weft.runtime.memory", options.memory());
    settings.put("weft.control.exclusive", String.valueOf(options.exclusive()));
    return new LivePlatform(options, command(options.build(), options.home(), settings), log);
  }

  /// Returns once all devices take work. Its model is whatever was deployed.
  @Override
  public Target target() throws IOException, InterruptedException {
    awaitDevices(options.cpus().size());
    return new Target(base(), "", key(), Map.of());
  }

  /// Deploys a function, unless it is there, and gives its revision.
  public Revision deploy(String name, String manifest) throws IOException, InterruptedException {
    post("/api/v1/functions", manifest);
    return Json.mapper()
        .treeToValue(
            get("/api/v1/functions/%s/revisions".formatted(name)).at("/revisions/0"),
            Revision.class);
  }

  /// The runtimes, by device.
  public List<DeviceControl> devices() throws IOException {
    List<DeviceControl> devices = new ArrayList<>();
    for (int i = 0; i < options.cpus().size(); i++) {
      String name = device(i);
      devices.add(new DeviceControl(name, runtimePort(name), runtimeSecret(name)));
    }
    return devices;
  }

  /// The runtimes' processes.
  public List<ProcessHandle> runtimes() throws IOException {
    List<ProcessHandle> runtimes = new ArrayList<>();
    for (int i = 0; i < options.cpus().size(); i++) {
      runtimes.add(ProcessHandle.of(runtimePid(device(i))).orElseThrow());
    }
    return runtimes;
  }

  private static String device(int number) {
    return "cpu-" + number;
  }

  /// Has a device's runtime be slower until the result is closed.
  public Slowdown slowDown(String device, double factor) throws IOException {
    return new Slowdown(runtimePid(device), factor);
  }
}
