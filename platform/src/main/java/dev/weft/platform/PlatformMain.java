package dev.weft.platform;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.platform.config.BuildVersion;
import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftHome;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import io.quarkus.runtime.annotations.QuarkusMain;
import io.quarkus.vertx.http.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The platform process. One runs in a home at a time. Once it listens, `run/platform.json` says
/// where; exit codes say why it does not.
@QuarkusMain
public final class PlatformMain implements QuarkusApplication {
  /// Something failed that the log explains.
  public static final int EXIT_FAILED = 1;

  /// Something else listens on the port.
  public static final int EXIT_PORT_IN_USE = 3;

  /// Another platform runs in this home.
  public static final int EXIT_ALREADY_UP = 4;

  private static final ObjectMapper JSON = Json.mapper();

  private final HttpServer server;
  private final BuildVersion build;

  public PlatformMain(HttpServer server, BuildVersion build) {
    this.server = server;
    this.build = build;
  }

  /// What `run/platform.json` says.
  public record Announcement(long pid, long startedAt, int port, String version, Role role) {}

  public static void main(String... arguments) throws IOException {
    WeftHome home = WeftHome.locate(System.getProperty("weft.home"));
    System.setProperty("weft.home", home.root().toString());
    home.prepare();
    try (FileChannel channel =
            FileChannel.open(home.lockFile(), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = channel.tryLock()) {
      if (lock == null) {
        fail(EXIT_ALREADY_UP, alreadyUp(home));
      }
      requireFreePort();
      if (role() == Role.GATEWAY || externalDatabase()) {
        System.setProperty("quarkus.datasource.active", "false");
      }
      Quarkus.run(PlatformMain.class, PlatformMain::exit, arguments);
    }
  }

  @Override
  public int run(String... arguments) throws JsonProcessingException {
    WeftHome home = WeftHome.locate(System.getProperty("weft.home"));
    ProcessHandle self = ProcessHandle.current();
    Announcement announcement =
        new Announcement(
            self.pid(),
            self.info().startInstant().map(Instant::toEpochMilli).orElse(0L),
            server.getPort(),
            build.version(),
            role());
    WeftHome.writePrivately(home.platformFile(), JSON.writeValueAsString(announcement));
    Quarkus.waitForExit();
    return 0;
  }

  /// Where the platform of this home listens, as far as its file says.
  public static Optional<Announcement> announced(WeftHome home) {
    return WeftHome.read(home.platformFile())
        .map(text -> {
          try {
            return JSON.readValue(text, Announcement.class);
          } catch (JsonProcessingException e) {
            throw new UncheckedIOException(home.platformFile() + " is damaged", e);
          }
        });
  }

  private static String alreadyUp(WeftHome home) {
    return announced(home)
        .map(running ->
            "Weft is already up in %s: pid %d, http://127.0.0.1:%d"
                .formatted(home.root(), running.pid(), running.port()))
        .orElse("another Weft is starting in %s".formatted(home.root()));
  }

  /// Asked here rather than left to the server, so that a port in use is said in one line.
  private static void requireFreePort() {
    String host = setting("weft.http.host", "WEFT_HTTP_HOST", "127.0.0.1");
    String port = setting("weft.http.port", "WEFT_HTTP_PORT", "8080");
    if (!port.matches("\\d{1,5}") || Integer.parseInt(port) > 65_535) {
      fail(EXIT_FAILED, "'%s' is not a port: use 0 (any free one) to 65535".formatted(port));
    }
    try (ServerSocket probe = new ServerSocket()) {
      probe.setReuseAddress(true);
      probe.bind(new InetSocketAddress(host, Integer.parseInt(port)));
    } catch (IOException e) {
      fail(
          EXIT_PORT_IN_USE,
          "port %s on %s cannot be used (%s): stop what listens there, or choose another with --port"
              .formatted(port, host, e.getMessage()));
    }
  }

  private static Role role() {
    String role = setting("weft.role", "WEFT_ROLE", "all");
    return Arrays.stream(Role.values())
        .filter(known -> known.name().equalsIgnoreCase(role))
        .findFirst()
        .orElseGet(() -> {
          fail(EXIT_FAILED, "'%s' is not a role: it is all, gateway or controller".formatted(role));
          return Role.ALL;
        });
  }

  /// Whether the state is in PostgreSQL; what address that is is not repeated, it may hold a
  /// secret.
  private static boolean externalDatabase() {
    String url = setting("weft.database.url", "WEFT_DATABASE_URL", "");
    if (!url.isEmpty() && !url.startsWith("jdbc:postgresql:")) {
      fail(
          EXIT_FAILED,
          "weft.database.url is not of PostgreSQL: write it as jdbc:postgresql://HOST:PORT/NAME");
    }
    return !url.isEmpty();
  }

  private static String setting(String property, String variable, String otherwise) {
    String given = System.getProperty(property, System.getenv(variable));
    return given == null || given.isBlank() ? otherwise : given.strip();
  }

  private static void exit(Integer code, @Nullable Throwable failure) {
    if (failure != null) {
      Throwable cause = failure;
      while (cause.getCause() != null) {
        cause = cause.getCause();
      }
      System.err.println("weft: the platform could not start: " + cause);
    }
    System.exit(code);
  }

  private static void fail(int code, String message) {
    System.err.println("weft: " + message);
    System.exit(code);
  }
}
