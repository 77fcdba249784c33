package dev.weft.runtime.server;

import dev.weft.functions.instance.DeviceId;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/// The command line of a runtime process, the same for every kind of device.
///
/// @param announce where to write that the server listens; empty writes nothing
/// @param memoryBytes what models may take of the device; empty is the device's own default
/// @param swapBytes what KV caches may take of the disk when memory runs out; 0 for nothing
/// @param cpus processors to run on
/// @param gpu of a GPU device: which one, in the driver's order
/// @param functions manifests to load at start, for a runtime that is used alone
public record RuntimeOptions(
    DeviceId device,
    String host,
    int port,
    Path home,
    Path secretFile,
    Optional<Path> announce,
    OptionalLong memoryBytes,
    long swapBytes,
    OptionalInt threads,
    CpuChoice cpus,
    OptionalInt gpu,
    List<Path> functions) {

  public static final String HELP =
      """
      usage: java ... Main [options]

        --device NAME       name of the device this process is for (default cpu-0, or gpu-0)
        --host ADDRESS      address to listen on (default 127.0.0.1)
        --port N            port to listen on; 0 takes a free one (default 0)
        --home DIR          state, caches and natives (default $WEFT_HOME, or ~/.weft)
        --secret-file FILE  holds the bearer secret (default HOME/run/runtimes/DEVICE.secret,
                            made when it is missing)
        --announce FILE     written once the server listens: pid, port, start time
        --memory BYTES      memory that models may take; K, M and G may follow the number
        --swap BYTES        what KV caches may take of the disk under HOME when memory runs out
                            (default 1G); 0 for nothing
        --threads N         threads that compute (default: what this process may use)
        --cpus LIST         processors to keep this process on, such as 0-3,8, or those of a NUMA
                            node, such as node:0 (default: what this process may use)
        --gpu N             the GPU, counted as the driver does (default 0)
        --function FILE     a manifest to load at start; may be repeated
        --help              this text
      """;

  public RuntimeOptions {
    functions = List.copyOf(functions);
  }

  /// What a command line says.
  public sealed interface Parsed {
    record Run(RuntimeOptions options) implements Parsed {}

    record Help() implements Parsed {}

    /// It cannot be run; the message is one line.
    record Invalid(String message) implements Parsed {}
  }

  /// @param unnamed the device where none is named
  public static Parsed parse(
      List<String> arguments, Map<String, String> environment, DeviceId unnamed) {
    try {
      var draft = new Draft(environment, unnamed);
      for (int i = 0; i < arguments.size(); i += 2) {
        String name = arguments.get(i);
        if (name.equals("--help") || name.equals("-h")) {
          return new Parsed.Help();
        }
        if (i + 1 == arguments.size()) {
          // An option that is not known is told before the value that it lacks.
          draft.set(name, Optional.empty());
        }
        draft.set(name, Optional.of(arguments.get(i + 1)));
      }
      return new Parsed.Run(draft.options());
    } catch (InvalidOption e) {
      return new Parsed.Invalid(String.valueOf(e.getMessage()));
    }
  }

  private static final class InvalidOption extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private InvalidOption(String message) {
      super(message);
    }
  }

  /// Options as they are gathered.
  private static final class Draft {
    private DeviceId device;
    private String host = "127.0.0.1";
    private int port;
    private Path home;
    private Optional<Path> secretFile = Optional.empty();
    private Optional<Path> announce = Optional.empty();
    private OptionalLong memoryBytes = OptionalLong.empty();
    private long swapBytes = 1L << 30;
    private OptionalInt threads = OptionalInt.empty();
    private CpuChoice cpus = new CpuChoice.Any();
    private OptionalInt gpu = OptionalInt.empty();
    private final List<Path> functions = new ArrayList<>();

    private Draft(Map<String, String> environment, DeviceId unnamed) {
      device = unnamed;
      home =
          Path.of(
              environment.getOrDefault("WEFT_HOME", System.getProperty("user.home") + "/.weft"));
    }

    private void set(String name, Optional<String> given) {
      String value =
          switch (name) {
            case "--device",
                "--host",
                "--port",
                "--home",
                "--secret-file",
                "--announce",
                "--memory",
                "--swap",
                "--threads",
                "--cpus",
                "--gpu",
                "--function" ->
                given.orElseThrow(() -> new InvalidOption(name + " needs a value"));
            default -> throw new InvalidOption("unknown option " + name + "; --help lists all");
          };
      switch (name) {
        case "--device" -> device = device(value);
        case "--host" -> host = value;
        case "--port" -> port = (int) number(name, value, 0, 65_535);
        case "--home" -> home = Path.of(value);
        case "--secret-file" -> secretFile = Optional.of(Path.of(value));
        case "--announce" -> announce = Optional.of(Path.of(value));
        case "--memory" -> memoryBytes = OptionalLong.of(bytes(name, value));
        case "--swap" -> swapBytes = value.equals("0") ? 0 : bytes(name, value);
        case "--threads" -> threads = OptionalInt.of((int) number(name, value, 1, 1_024));
        case "--cpus" -> cpus = cpus(name, value);
        case "--gpu" -> gpu = OptionalInt.of((int) number(name, value, 0, 1_023));
        default -> functions.add(Path.of(value));
      }
    }

    private RuntimeOptions options() {
      return new RuntimeOptions(
          device,
          host,
          port,
          home.toAbsolutePath(),
          secretFile.orElseGet(
              () -> home.resolve("run").resolve("runtimes").resolve(device + ".secret")),
          announce,
          memoryBytes,
          swapBytes,
          threads,
          cpus,
          gpu,
          functions);
    }

    private static DeviceId device(String value) {
      // It becomes part of file names.
      if (!value.matches("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")) {
        throw new InvalidOption("--device '%s' is not a name of a-z, 0-9 and '-'".formatted(value));
      }
      return new DeviceId(value);
    }

    private static long number(String name, String value, long min, long max) {
      try {
        long number = Long.parseLong(value);
        if (number >= min && number <= max) {
          return number;
        }
      } catch (NumberFormatException e) {
        // Told below, like a number out of range.
      }
      throw new InvalidOption(
          "%s '%s' is not a whole number from %d to %d".formatted(name, value, min, max));
    }

    private static long bytes(String name, String value) {
      int shift =
          switch (value.isEmpty() ? ' ' : value.charAt(value.length() - 1)) {
            case 'K', 'k' -> 10;
            case 'M', 'm' -> 20;
            case 'G', 'g' -> 30;
            default -> 0;
          };
      String digits = shift == 0 ? value : value.substring(0, value.length() - 1);
      return number(name, digits, 1, Long.MAX_VALUE >> shift) << shift;
    }

    private static CpuChoice cpus(String name, String value) {
      try {
        return CpuChoice.parse(value);
      } catch (IllegalArgumentException e) {
        throw new InvalidOption("%s '%s': %s".formatted(name, value, e.getMessage()));
      }
    }
  }
}
