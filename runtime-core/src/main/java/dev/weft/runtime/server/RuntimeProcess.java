package dev.weft.runtime.server;

import dev.weft.functions.ByteSize;
import dev.weft.functions.Function;
import dev.weft.functions.Manifests;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.DeviceLoop;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.instance.DeviceIdentity;
import dev.weft.runtime.instance.InstanceManager;
import dev.weft.runtime.instance.InstanceSettings;
import dev.weft.runtime.instance.ModelSupply;
import dev.weft.runtime.instance.ProfileStore;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.SwapDirectory;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.server.RuntimeOptions.Parsed;
import dev.weft.runtime.source.ModelFetcher;
import dev.weft.runtime.source.SourceSettings;
import dev.weft.runtime.tokenizer.Tokenizers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A runtime process from its command line to its end, for any kind of device: one device, one
/// engine, one server. SIGTERM, and the control API's drain, end it in order: nothing new is
/// admitted, what runs may finish within [#DRAIN_LIMIT], then everything is closed.
public final class RuntimeProcess {
  /// Exit codes: a command line that cannot be run, a start that failed, and a device that was
  /// lost.
  public static final int EXIT_USAGE = 2;

  public static final int EXIT_FAILED = 1;
  public static final int EXIT_DEVICE_LOST = 3;

  /// How long running requests may take to finish when the process is asked to end.
  static final Duration DRAIN_LIMIT = Duration.ofSeconds(25);

  private static final Logger log = LoggerFactory.getLogger(RuntimeProcess.class);

  private final RuntimeOptions options;
  private final FileChannel lock;
  private final Backend backend;
  private final ChunkPool chunks;
  private final Engine engine;
  private final InstanceManager instances;
  private final RuntimeMetrics metrics;
  private final RuntimeServer server;
  private boolean ended;

  /// Opens the kind of device that a main class is for.
  public interface DeviceOpener {
    Opened open(RuntimeOptions options, Map<String, String> environment);
  }

  /// An open device.
  ///
  /// @param capacityBytes what models may take of it, unless the command line says otherwise
  public record Opened(Backend backend, long capacityBytes) {}

  /// Runs a process to its exit code; empty while it serves, which goes on after this returns.
  ///
  /// @param unnamed the device where the command line names none
  public static Optional<Integer> run(
      List<String> arguments, DeviceId unnamed, DeviceOpener opener) {
    // Netty looks for a logging framework and for native transports otherwise; neither is needed.
    System.setProperty(
        "vertx.logger-delegate-factory-class-name",
        "io.vertx.core.logging.SLF4JLogDelegateFactory");
    Map<String, String> environment = System.getenv();
    return switch (RuntimeOptions.parse(arguments, environment, unnamed)) {
      case Parsed.Help() -> {
        System.out.print(RuntimeOptions.HELP);
        yield Optional.of(0);
      }
      case Parsed.Invalid(String message) -> {
        System.err.println("weft runtime: " + message);
        yield Optional.of(EXIT_USAGE);
      }
      case Parsed.Run(RuntimeOptions options) -> serve(options, environment, opener);
    };
  }

  private static Optional<Integer> serve(
      RuntimeOptions options, Map<String, String> environment, DeviceOpener opener) {
    try {
      var process = new RuntimeProcess(options, environment, opener);
      Runtime.getRuntime()
          .addShutdownHook(Thread.ofPlatform().name("weft-end").unstarted(process::end));
      process.deploy();
      return Optional.empty();
    } catch (RuntimeException | LinkageError e) {
      log.atError().setCause(e).log("the runtime cannot start");
      lastWords(options, "cannot start: " + oneLine(e));
      return Optional.of(EXIT_FAILED);
    }
  }

  /// Ends this process at once, from any thread, because its device cannot be used by it any more:
  /// nothing that runs could be finished. Whoever started it starts it again.
  public static void deviceLost(RuntimeOptions options, String reason) {
    try {
      log.atError().addKeyValue("reason", reason).log("the device is lost; the process ends");
      lastWords(options, reason);
    } finally {
      Runtime.getRuntime().halt(EXIT_DEVICE_LOST);
    }
  }

  /// One line for whoever started this process: people read it, and a platform finds it in a file.
  private static void lastWords(RuntimeOptions options, String reason) {
    System.err.println("weft runtime: " + reason);
    try {
      RuntimeFiles.lastWords(options, reason);
    } catch (UncheckedIOException e) {
      log.atWarn().setCause(e).log("why the process ends cannot be written down");
    }
  }

  private RuntimeProcess(
      RuntimeOptions options, Map<String, String> environment, DeviceOpener opener) {
    this.options = options;
    this.lock =
        RuntimeFiles.tryLock(options)
            .orElseThrow(() ->
                new IllegalStateException(
                    "another process runs device %s of %s"
                        .formatted(options.device(), options.home())));
    String secret = RuntimeFiles.secret(options.secretFile());
    System.setProperty(Tokenizers.NATIVES_PROPERTY, options.home().resolve("natives").toString());
    List<AutoCloseable> opened = new ArrayList<>();
    try {
      Opened device = opener.open(options, environment);
      this.backend = device.backend();
      opened.add(backend);
      this.metrics = new RuntimeMetrics();
      opened.add(metrics);
      this.engine = new DeviceLoop(options.device().value(), metrics.engine(), swapSpace(options));
      opened.add(engine);
      long capacityBytes = options.memoryBytes().orElse(device.capacityBytes());
      MemoryLedger ledger = new MemoryLedger(capacityBytes);
      this.chunks = new ChunkPool(backend.openMemory(capacityBytes));
      opened.add(chunks);
      String runtimeId = UUID.randomUUID().toString();
      this.instances =
          new InstanceManager(
              new InstanceManager.Device(
                  new DeviceIdentity(options.device(), runtimeId),
                  backend,
                  engine,
                  ledger,
                  new Balloon(chunks, ledger, metrics.memory()),
                  ModelSupply.of(new ModelFetcher(SourceSettings.of(options.home(), environment))),
                  ProfileStore.in(options.home().resolve("cache/profiles"))),
              InstanceSettings.DEFAULT,
              metrics,
              InstantSource.system());
      opened.add(instances);
      this.server =
          new RuntimeServer(
              new RuntimeServer.Served(instances, engine, metrics, this::exitSoon),
              ServerSettings.of(options.host(), options.port(), secret));
      announce(runtimeId, capacityBytes);
    } catch (RuntimeException | LinkageError e) {
      opened.reversed().forEach(RuntimeProcess::closeQuietly);
      throw e;
    }
  }

  /// What is left there is of processes that were killed; one that cannot be removed takes no room.
  private static SwapSpace swapSpace(RuntimeOptions options) {
    var directory = new SwapDirectory(options.home().resolve("swap"));
    try {
      directory.removeStale();
    } catch (IOException | DirectoryIteratorException e) {
      log.atWarn()
          .addKeyValue("directory", directory.path())
          .addKeyValue("reason", e.toString())
          .log("files of ended processes cannot be removed");
    }
    return new SwapSpace(directory, options.swapBytes());
  }

  private void announce(String runtimeId, long capacityBytes) {
    ProcessHandle self = ProcessHandle.current();
    Instant startedAt = self.info().startInstant().orElseGet(Instant::now);
    options
        .announce()
        .ifPresent(file ->
            RuntimeFiles.announce(
                file,
                new RuntimeFiles.Announcement(
                    options.device().value(),
                    self.pid(),
                    startedAt.toEpochMilli(),
                    server.port(),
                    runtimeId)));
    log.atInfo()
        .addKeyValue("device", options.device())
        .addKeyValue("backend", backend.name())
        .addKeyValue("memory", ByteSize.format(capacityBytes))
        .addKeyValue("host", options.host())
        .addKeyValue("port", server.port())
        .addKeyValue("startMillis", Duration.between(startedAt, Instant.now()).toMillis())
        .log("the runtime listens");
  }

  /// Loads the functions of the command line, each as its first revision.
  private void deploy() {
    for (Path file : options.functions()) {
      for (Function function : Manifests.parse(read(file))) {
        instances.load(
            new Revision(new RevisionId(function.name(), 1), function.spec(), Instant.now()),
            function.spec().scaling().min() > 0);
      }
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the manifest %s".formatted(file), e);
    }
  }

  /// Ends the process from outside of a shutdown, on a thread of its own.
  private void exitSoon() {
    Thread.ofPlatform()
        .name("weft-drain")
        .start(() -> {
          end();
          System.exit(0);
        });
  }

  /// Drains and closes; the first caller does it, and the others wait until it has: a SIGTERM must
  /// not end the process in the middle of a drain.
  private synchronized void end() {
    if (ended) {
      return;
    }
    ended = true;
    log.atInfo().addKeyValue("limitSeconds", DRAIN_LIMIT.toSeconds()).log("draining");
    try {
      if (!instances.drain(DRAIN_LIMIT)) {
        log.atWarn().log("requests still ran when the time to drain was over; they are ended");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    instances.close();
    server.close();
    engine.close();
    metrics.close();
    closeQuietly(chunks);
    backend.close();
    options
        .announce()
        .ifPresent(file -> RuntimeFiles.withdraw(file, ProcessHandle.current().pid()));
    closeQuietly(lock);
    log.atInfo().log("the runtime has ended");
  }

  private static void closeQuietly(AutoCloseable resource) {
    try {
      resource.close();
    } catch (Exception e) {
      log.atWarn().setCause(e).log("closing failed at the end");
    }
  }

  private static String oneLine(Throwable failure) {
    String message = failure.getMessage() == null ? failure.toString() : failure.getMessage();
    Throwable cause = failure.getCause();
    String because =
        failure instanceof UncheckedIOException && cause != null ? ": " + cause.getMessage() : "";
    return (message + because).replace('\n', ' ');
  }
}
