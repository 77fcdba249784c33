package dev.weft.runtime.cpu.topology;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/// Processors and memory of this process.
///
/// @param processors what may run at once: the affinity mask and the cgroup's CPU quota, rounded as
///   the JDK does
/// @param memoryBytes the machine's memory, or the cgroup's limit where that is lower
/// @param availableBytes of these, what is not in use
/// @param model the processor's name, for people
public record CpuTopology(int processors, long memoryBytes, long availableBytes, String model) {
  /// The share of available memory that a device offers to models when nothing is said.
  private static final double DEFAULT_CAPACITY = 0.8;

  /// A cgroup without a limit says `max`, or a number beyond any memory.
  private static final long NO_LIMIT = 1L << 60;

  /// What this process has now.
  public static CpuTopology detect() {
    return read(Path.of("/"), Runtime.getRuntime().availableProcessors());
  }

  /// @param root where `proc` and `sys` lie; another than `/` in tests
  static CpuTopology read(Path root, int processors) {
    long total = kilobytes(root, "MemTotal").orElse(0);
    long available = kilobytes(root, "MemAvailable").orElse(total);
    Optional<Path> cgroup = cgroup(root);
    OptionalLong limit =
        cgroup.isPresent()
            ? number(cgroup.get(), List.of("memory.max", "memory.limit_in_bytes"))
            : OptionalLong.empty();
    if (limit.isPresent() && limit.getAsLong() < total) {
      long used =
          number(cgroup.get(), List.of("memory.current", "memory.usage_in_bytes")).orElse(0);
      total = limit.getAsLong();
      available = Math.min(available, Math.max(0, total - used));
    }
    return new CpuTopology(processors, total, available, model(root));
  }

  /// What a device may hold when no amount is configured.
  ///
  /// @param share of the machine that it runs on, up to 1
  public long defaultCapacityBytes(double share) {
    return (long) (availableBytes * DEFAULT_CAPACITY * share);
  }

  /// The directory of this process's memory cgroup: version 2's, or version 1's controller.
  private static Optional<Path> cgroup(Path root) {
    for (String line : Processors.lines(root.resolve("proc/self/cgroup"))) {
      String[] fields = line.split(":", 3);
      if (fields.length < 3) {
        continue;
      }
      String path = fields[2].startsWith("/") ? fields[2].substring(1) : fields[2];
      if (fields[0].equals("0") && fields[1].isEmpty()) {
        Path unified = root.resolve("sys/fs/cgroup");
        // In a container the path is often of the host's tree: the mount is the cgroup itself.
        for (Path directory : List.of(unified.resolve(path), unified)) {
          if (Files.exists(directory.resolve("memory.max"))) {
            return Optional.of(directory);
          }
        }
      } else if (List.of(fields[1].split(",", -1)).contains("memory")) {
        Path controller = root.resolve("sys/fs/cgroup/memory");
        for (Path directory : List.of(controller.resolve(path), controller)) {
          if (Files.exists(directory.resolve("memory.limit_in_bytes"))) {
            return Optional.of(directory);
          }
        }
      }
    }
    return Optional.empty();
  }

  private static OptionalLong number(Path directory, List<String> names) {
    for (String name : names) {
      for (String line : Processors.lines(directory.resolve(name))) {
        try {
          long value = Long.parseLong(line.strip());
          return value < NO_LIMIT ? OptionalLong.of(value) : OptionalLong.empty();
        } catch (NumberFormatException e) {
          return OptionalLong.empty(); // "max"
        }
      }
    }
    return OptionalLong.empty();
  }

  private static OptionalLong kilobytes(Path root, String key) {
    for (String line : Processors.lines(root.resolve("proc/meminfo"))) {
      if (line.startsWith(key + ":")) {
        return OptionalLong.of(Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024);
      }
    }
    return OptionalLong.empty();
  }

  private static String model(Path root) {
    for (String line : Processors.lines(root.resolve("proc/cpuinfo"))) {
      if (line.startsWith("model name")) {
        return line.substring(line.indexOf(':') + 1).strip();
      }
    }
    return "unknown processor";
  }
}
