package dev.weft.platform.state;

import static java.util.Objects.requireNonNullElse;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.postgresql.ds.PGSimpleDataSource;

/// A PostgreSQL of its own on loopback, of the programs that the machine has. Whoever has none
/// skips its tests.
///
/// It refuses to run as root; there it runs as nobody.
public final class PostgresServer implements AutoCloseable {
  /// Whom it knows, who may do everything.
  public static final String USER = "weft";

  private static final int NOBODY = 65_534;
  private static final String PASSWORD = "not-a-secret";

  private final Path programs;
  private final Path directory;
  private final boolean root;
  private final int port;
  private int databases;

  private PostgresServer(Path programs) throws IOException {
    this.programs = programs;
    // Not a test's own directory: nobody could not get into it.
    this.directory = Files.createTempDirectory("weft-postgres");
    this.root = (int) Files.getAttribute(directory, "unix:uid") == 0;
    try (ServerSocket free = new ServerSocket(0)) {
      this.port = free.getLocalPort();
    }
  }

  /// Makes one and starts it; without its programs the test is skipped.
  public static PostgresServer start() {
    Optional<Path> programs = programs();
    Assumptions.assumeTrue(
        programs.isPresent(),
        "PostgreSQL is not there: 'apt-get install postgresql', or WEFT_POSTGRES_BIN says where");
    try {
      PostgresServer server = new PostgresServer(programs.orElseThrow());
      Runtime.getRuntime().addShutdownHook(new Thread(server::close));
      server.initialize();
      server.resume();
      return server;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Where `initdb` and `pg_ctl` are: in a place that is named, on the path, or where Debian has
  /// them.
  private static Optional<Path> programs() {
    List<Path> places = new ArrayList<>();
    String named = requireNonNullElse(System.getenv("WEFT_POSTGRES_BIN"), "");
    String path = requireNonNullElse(System.getenv("PATH"), "");
    Stream.of(named, path)
        .flatMap(each -> Arrays.stream(each.split(File.pathSeparator, -1)))
        .filter(each -> !each.isEmpty())
        .map(Path::of)
        .forEach(places::add);
    Path debian = Path.of("/usr/lib/postgresql");
    if (Files.isDirectory(debian)) {
      try (Stream<Path> versions = Files.list(debian)) {
        versions
            .map(version -> version.resolve("bin"))
            .sorted(Comparator.reverseOrder())
            .forEach(places::add);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return places.stream()
        .filter(place -> Files.isExecutable(place.resolve("initdb")))
        .filter(place -> Files.isExecutable(place.resolve("pg_ctl")))
        .findFirst();
  }

  private void initialize() throws IOException {
    Path password = Files.writeString(directory.resolve("password"), PASSWORD);
    if (root) {
      for (Path each : List.of(directory, password)) {
        Files.setAttribute(each, "unix:uid", NOBODY);
      }
    }
    run(
        "initdb",
        "--username=" + USER,
        "--auth=scram-sha-256",
        "--pwfile=" + password,
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync");
  }

  /// Starts it again on what it had, and returns when it answers.
  public void resume() {
    String options =
        "-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
            .formatted(port);
    run("pg_ctl", "--log=" + directory.resolve("log"), "--options=" + options, "--wait", "start");
  }

  /// Ends it at once: what it was doing is not finished.
  public void stop() {
    run("pg_ctl", "--mode=immediate", "--wait", "stop");
  }

  /// A new database in it, by its address.
  public synchronized String create() {
    String name = "weft_" + ++databases;
    execute("postgres", "CREATE DATABASE " + name);
    return url(name);
  }

  private String url(String database) {
    return "jdbc:postgresql://127.0.0.1:%d/%s".formatted(port, database);
  }

  private void execute(String database, String sql) {
    try (Connection connection = source(url(database)).getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Connections to one of its databases.
  public PGSimpleDataSource source(String url) {
    PGSimpleDataSource source = new PGSimpleDataSource();
    source.setURL(url);
    source.setUser(USER);
    source.setPassword(PASSWORD);
    return source;
  }

  /// A file with the password.
  public Path passwordFile() {
    return directory.resolve("password");
  }

  private void run(String program, String... arguments) {
    List<String> command = new ArrayList<>();
    if (root) {
      command.addAll(List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY));
      command.add("--clear-groups");
    }
    command.add(programs.resolve(program).toString());
    command.add("--pgdata=" + directory.resolve("data"));
    command.addAll(List.of(arguments));
    try {
      Path out = Files.createTempFile("weft-postgres", ".out");
      // A file, since the server keeps what it inherits open.
      Process process =
          new ProcessBuilder(command)
              .directory(directory.toFile())
              .redirectErrorStream(true)
              .redirectOutput(out.toFile())
              .start();
      int exit = process.waitFor();
      String said = Files.readString(out, StandardCharsets.UTF_8);
      Files.delete(out);
      if (exit != 0) {
        throw new IllegalStateException("%s: %s".formatted(String.join(" ", command), said));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public synchronized void close() {
    if (Files.exists(directory.resolve("data/postmaster.pid"))) {
      stop();
    }
    if (Files.exists(directory)) {
      try (Stream<Path> files = Files.walk(directory)) {
        files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
