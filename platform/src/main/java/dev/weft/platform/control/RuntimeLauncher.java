package dev.weft.platform.control;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.keys.Secret;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Starts runtime processes, and finds those that an earlier platform left running.
///
/// A process is known by its pid together with its start time, since pids are given out again. What
/// is needed to find it is in three files, `run/runtimes/<device>.{json,launch.json,secret}`: what
/// the runtime announced, what was started, and the secret between the two. `<device>.end.json` has
/// the last words of one that knew why it ended. **thread**: blocks.
@Singleton
public final class RuntimeLauncher {
  private static final Logger LOG = LoggerFactory.getLogger(RuntimeLauncher.class);
  private static final long LOG_ROTATE_BYTES = 10L << 20;
  private static final int LOGS_KEPT = 3;
  private static final String LAUNCH_SUFFIX = ".launch.json";
  private static final int LOG_TAIL_LINES = 5;
  private static final Duration POLL = Duration.ofMillis(20);
  private static final Duration TERMINATE_GRACE = Duration.ofSeconds(5);

  private final WeftConfig config;
  private final LocalDevices devices;
  private final WeftHome home;
  private final RuntimeClient client;
  private final ObjectMapper json = Json.mapper();

  public RuntimeLauncher(WeftConfig config, LocalDevices devices, RuntimeClient client) {
    this.config = config;
    this.devices = devices;
    this.home = new WeftHome(config.home());
    this.client = client;
  }

  /// What a runtime writes once it listens.
  record Announcement(String device, long pid, long startedAt, int port, String runtimeId) {}

  /// What was started: written before the runtime listens, so that even a half-started one is
  /// found.
  record Launch(long pid, long startedAt, String build) {}

  /// Why a process ended, in its own words.
  record LastWords(long pid, String reason) {}

  /// The runtime that an earlier platform left for this device, when it is alive, answers to its
  /// secret and is of this build. Any other left-over is ended.
  public Optional<RunningRuntime> adopt(DeviceId device) throws InterruptedException {
    Optional<Launch> launch = read(launchFile(device), Launch.class);
    Optional<ProcessHandle> process = launch.flatMap(left -> find(left.pid(), left.startedAt()));
    if (process.isEmpty()) {
      return Optional.empty();
    }
    Optional<RunningRuntime> candidate =
        read(announcementFile(device), Announcement.class)
            .filter(said -> said.pid() == process.get().pid())
            .map(said -> running(device, process.get(), said, Optional.empty()));
    String refusal =
        candidate.map(runtime -> refusal(launch.get(), runtime)).orElse("not listening");
    if (refusal.isEmpty()) {
      LOG.atInfo()
          .addKeyValue("device", device)
          .addKeyValue("pid", process.get().pid())
          .log("adopted a runtime that was left running");
      return candidate;
    }
    LOG.atInfo()
        .addKeyValue("device", device)
        .addKeyValue("pid", process.get().pid())
        .addKeyValue("reason", refusal)
        .log("ending a runtime that was left running");
    RunningRuntime.end(process.get(), TERMINATE_GRACE);
    return Optional.empty();
  }

  /// Ends the runtimes that an earlier platform left for devices that are not among these.
  public void endOthers(Collection<DeviceId> devices) throws InterruptedException {
    try (DirectoryStream<Path> launches =
        Files.newDirectoryStream(home.runtimes(), "*" + LAUNCH_SUFFIX)) {
      for (Path file : launches) {
        String name = String.valueOf(file.getFileName());
        var device = new DeviceId(name.substring(0, name.length() - LAUNCH_SUFFIX.length()));
        Optional<ProcessHandle> process =
            read(file, Launch.class).flatMap(left -> find(left.pid(), left.startedAt()));
        if (!devices.contains(device) && process.isPresent()) {
          LOG.atInfo()
              .addKeyValue("device", device)
              .addKeyValue("pid", process.get().pid())
              .log("ending a runtime of a device that is no longer configured");
          RunningRuntime.end(process.get(), TERMINATE_GRACE);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + home.runtimes(), e);
    }
  }

  /// Starts a runtime and waits until it listens. Throws [RuntimeUnavailableException] with the end
  /// of its log when it does not.
  public RunningRuntime start(DeviceId device) throws InterruptedException {
    RuntimeCommand command = command(device);
    Path log = rotatedLog(device);
    WeftHome.writePrivately(secretFile(device), Secret.generate());
    Process process;
    try {
      Files.deleteIfExists(announcementFile(device));
      Files.deleteIfExists(lastWordsFile(device));
      process = spawn(command, log);
      WeftHome.writePrivately(
          launchFile(device),
          json.writeValueAsString(
              new Launch(process.pid(), startMillis(process.toHandle()), command.build())));
    } catch (IOException e) {
      throw new RuntimeUnavailableException(
          "the runtime of %s cannot be started: %s".formatted(device, e.getMessage()), e);
    }
    LOG.atInfo()
        .addKeyValue("device", device)
        .addKeyValue("pid", process.pid())
        .log("started a runtime");
    try {
      return awaitAnnouncement(device, process, log);
    } catch (InterruptedException e) {
      process.destroyForcibly();
      throw e;
    }
  }

  private Process spawn(RuntimeCommand command, Path log) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command.words())
            .directory(home.root().toFile())
            .redirectInput(ProcessBuilder.Redirect.from(new java.io.File("/dev/null")))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
    builder.environment().put("WEFT_HOME", home.root().toString());
    return builder.start();
  }

  private RunningRuntime awaitAnnouncement(DeviceId device, Process process, Path log)
      throws InterruptedException {
    Instant giveUp = Instant.now().plus(config.runtime().startTimeout());
    while (Instant.now().isBefore(giveUp)) {
      Optional<Announcement> said =
          read(announcementFile(device), Announcement.class)
              .filter(announcement -> announcement.pid() == process.pid());
      if (said.isPresent()) {
        return running(device, process.toHandle(), said.get(), Optional.of(process));
      }
      if (!process.isAlive()) {
        throw new RuntimeUnavailableException(
            "the runtime of %s ended while it started: %s"
                .formatted(device, lastWords(device, process.pid()).orElseGet(() -> tail(log))));
      }
      Thread.sleep(POLL);
    }
    RunningRuntime.end(process.toHandle(), Duration.ZERO);
    throw new RuntimeUnavailableException(
        "the runtime of %s does not listen after %s: %s"
            .formatted(device, config.runtime().startTimeout(), tail(log)));
  }

  /// How a runtime's process ended, and why, where it knew.
  String end(RunningRuntime runtime) {
    OptionalInt code = runtime.exitCode();
    String how =
        "the runtime process ended"
            + (code.isPresent() ? " with exit code " + code.getAsInt() : "");
    return lastWords(runtime.device(), runtime.process().pid())
        .map(reason -> how + ": " + reason)
        .orElse(how);
  }

  private Optional<String> lastWords(DeviceId device, long pid) {
    return read(lastWordsFile(device), LastWords.class)
        .filter(words -> words.pid() == pid)
        .map(LastWords::reason);
  }

  /// Why a runtime cannot be adopted; empty when it can.
  private String refusal(Launch launch, RunningRuntime runtime) {
    if (!launch.build().equals(command(runtime.device()).build())) {
      return "another build or other options";
    }
    try {
      client.status(runtime.address(), Duration.ofSeconds(2));
      return "";
    } catch (RuntimeUnavailableException e) {
      return String.valueOf(e.getMessage());
    }
  }

  private RuntimeCommand command(DeviceId device) {
    return RuntimeCommand.of(
        devices.get(device),
        config,
        home,
        new RuntimeCommand.MeetingFiles(announcementFile(device), secretFile(device)));
  }

  private RunningRuntime running(
      DeviceId device, ProcessHandle process, Announcement said, Optional<Process> child) {
    String secret = WeftHome.read(secretFile(device)).orElse("").strip();
    return new RunningRuntime(
        device, process, new RuntimeAddress("127.0.0.1", said.port(), secret), child);
  }

  private static Optional<ProcessHandle> find(long pid, long startedAt) {
    return ProcessHandle.of(pid)
        .filter(ProcessHandle::isAlive)
        .filter(process -> startMillis(process) == startedAt);
  }

  private static long startMillis(ProcessHandle process) {
    return process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
  }

  private <T> Optional<T> read(Path file, Class<T> type) {
    return WeftHome.read(file)
        .flatMap(text -> {
          try {
            return Optional.of(json.readValue(text, type));
          } catch (JsonProcessingException e) {
            LOG.atWarn().addKeyValue("file", file).setCause(e).log("ignoring a damaged file");
            return Optional.empty();
          }
        });
  }

  public Path logFile(DeviceId device) {
    return home.logs().resolve("runtime-%s.log".formatted(device));
  }

  private Path announcementFile(DeviceId device) {
    return home.runtimes().resolve(device + ".json");
  }

  private Path launchFile(DeviceId device) {
    return home.runtimes().resolve(device + LAUNCH_SUFFIX);
  }

  private Path lastWordsFile(DeviceId device) {
    return home.runtimes().resolve(device + ".end.json");
  }

  private Path secretFile(DeviceId device) {
    return home.runtimes().resolve(device + ".secret");
  }

  /// The log file, moved aside when it has grown too big.
  private Path rotatedLog(DeviceId device) {
    Path log = logFile(device);
    try {
      if (Files.exists(log) && Files.size(log) > LOG_ROTATE_BYTES) {
        for (int i = LOGS_KEPT - 1; i >= 0; i--) {
          Path from = i == 0 ? log : Path.of(log + "." + i);
          if (Files.exists(from)) {
            Files.move(from, Path.of(log + "." + (i + 1)), StandardCopyOption.REPLACE_EXISTING);
          }
        }
      }
      return log;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot rotate " + log, e);
    }
  }

  private static String tail(Path log) {
    try {
      List<String> lines = Files.readAllLines(log);
      return String.join(
          " | ", lines.subList(Math.max(0, lines.size() - LOG_TAIL_LINES), lines.size()));
    } catch (IOException e) {
      return "its log cannot be read: " + e.getMessage();
    }
  }
}
