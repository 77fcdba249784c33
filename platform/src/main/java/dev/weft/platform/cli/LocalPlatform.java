package dev.weft.platform.cli;

import dev.weft.functions.instance.DeviceStatus;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.management.ManagementApi;
import dev.weft.platform.management.ManagementApi.DeviceView;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Starts and stops the platform process of a home. The process has a session of its own, so that a
/// Ctrl-C meant for the command does not reach it.
record LocalPlatform(WeftHome home) {
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration POLL = Duration.ofMillis(50);
  private static final long MIN_FREE_BYTES = 512L << 20;
  private static final int LOG_TAIL_LINES = 12;

  /// Starts the platform and returns once it listens.
  ///
  /// @param settings as environment variables, beside those of this process
  Announcement start(int port, Map<String, String> settings) {
    createHome();
    requirePort(port);
    Path log = home.logs().resolve("platform.log");
    Process process = launch(port, settings, log);
    Instant deadline = Instant.now().plus(START_TIMEOUT);
    while (Instant.now().isBefore(deadline)) {
      var announced =
          Announcement.platform(home).filter(platform -> platform.pid() == process.pid());
      if (announced.isPresent()) {
        return announced.get();
      }
      if (!process.isAlive()) {
        throw new CliException(
            "the platform ended while starting (exit code %d):\n%s"
                .formatted(process.exitValue(), tail(log)),
            "The whole log: " + log);
      }
      pause();
    }
    process.destroy();
    throw new CliException(
        "the platform did not listen within " + START_TIMEOUT.toSeconds() + " s",
        "Look at the log: " + log);
  }

  /// Asks the platform to drain and waits until it has gone, runtimes first.
  void stop(Announcement platform, ApiClient api) {
    api.post(ManagementApi.SHUTDOWN, Map.of());
    awaitEnd(platform);
  }

  /// Asks a gateway, which has no key of its own, to let what runs finish and to end.
  void stopGateway(Announcement gateway) {
    ProcessHandle.of(gateway.pid()).ifPresent(ProcessHandle::destroy);
    awaitEnd(gateway);
  }

  /// Waits until a device takes work; says why none does when that takes too long.
  void awaitDevice(ApiClient api) {
    Instant deadline = Instant.now().plus(START_TIMEOUT);
    while (true) {
      List<DeviceView> devices =
          api.get(ManagementApi.DEVICES, ManagementApi.DeviceList.class).devices();
      if (devices.stream().anyMatch(LocalPlatform::serves)) {
        return;
      }
      if (Instant.now().isAfter(deadline)) {
        String why =
            devices.stream()
                .map(device -> device.device() + ": " + device.absence())
                .collect(Collectors.joining("; "));
        throw new CliException(
            "no device is ready after %d s (%s)".formatted(START_TIMEOUT.toSeconds(), why),
            "Look at the logs:  weft logs");
      }
      pause();
    }
  }

  private static boolean serves(DeviceView device) {
    return device.status() != null && device.status().phase() == DeviceStatus.Phase.READY;
  }

  private static void awaitEnd(Announcement platform) {
    Instant deadline = Instant.now().plus(STOP_TIMEOUT);
    while (platform.alive()) {
      if (Instant.now().isAfter(deadline)) {
        throw new CliException(
            "the platform (process %d) is still draining after %d s"
                .formatted(platform.pid(), STOP_TIMEOUT.toSeconds()),
            "Wait for it, or end it:  kill " + platform.pid());
      }
      pause();
    }
  }

  private Process launch(int port, Map<String, String> settings, Path log) {
    Path dist = Path.of(System.getProperty("weft.dist"));
    Path built = dist.resolve("platform/target");
    Path java = Path.of(System.getProperty("java.home"), "bin/java");
    var builder =
        new ProcessBuilder(
            List.of(
                "setsid",
                java.toString(),
                "@" + built.resolve("app/platform.options"),
                "-jar",
                built.resolve("quarkus-app/quarkus-run.jar").toString()));
    builder.environment().put("WEFT_HOME", home.root().toString());
    builder.environment().put("WEFT_DIST", dist.toString());
    builder.environment().put("WEFT_HTTP_PORT", Integer.toString(port));
    builder.environment().putAll(settings);
    builder.redirectErrorStream(true).redirectOutput(log.toFile());
    try {
      return builder.start();
    } catch (IOException e) {
      throw new CliException(
          "cannot start the platform: " + e.getMessage(), "`setsid` is part of util-linux.");
    }
  }

  private void createHome() {
    try {
      var ownerOnly =
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
      if (!Files.exists(home.root())) {
        Files.createDirectories(home.root(), ownerOnly);
      }
      Files.createDirectories(home.logs());
      long free = Files.getFileStore(home.root()).getUsableSpace();
      if (free < MIN_FREE_BYTES) {
        throw new CliException(
            "the disk of %s is full: %s free, %s needed"
                .formatted(home.root(), Terminal.bytes(free), Terminal.bytes(MIN_FREE_BYTES)),
            "Free some space, or use another place:  weft up --home DIR");
      }
    } catch (IOException e) {
      throw new CliException(
          "cannot create %s: %s".formatted(home.root(), e.getMessage()),
          "Use another place:  weft up --home DIR");
    }
  }

  private static void requirePort(int port) {
    try (var socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    } catch (IOException e) {
      throw new CliException(
          "port %d is in use by another program".formatted(port),
          "Take another one:  weft up --port 8081   (0 takes any free one)");
    }
  }

  private static String tail(Path log) {
    try {
      List<String> lines = Files.readAllLines(log);
      return String.join(
          "\n", lines.subList(Math.max(0, lines.size() - LOG_TAIL_LINES), lines.size()));
    } catch (IOException e) {
      return "(no log: " + e.getMessage() + ")";
    }
  }

  static void pause() {
    try {
      Thread.sleep(POLL);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CliException("interrupted", "Run the command again.");
    }
  }
}
