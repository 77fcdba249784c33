package dev.weft.bench.system;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/// What a process takes, from `/proc`.
public final class ProcessUse {
  private ProcessUse() {}

  /// Resident bytes: of its own, of files, of shared memory.
  public record Resident(long anonymous, long file, long shared) {
    public long total() {
      return anonymous + file + shared;
    }
  }

  public static Resident resident(long pid) throws IOException {
    Map<String, Long> kib = new TreeMap<>();
    for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
      if (line.startsWith("Rss")) {
        String[] words = line.split("\\s+", 3);
        kib.put(words[0], Long.parseLong(words[1]));
      }
    }
    return new Resident(
        kib.getOrDefault("RssAnon:", 0L) << 10,
        kib.getOrDefault("RssFile:", 0L) << 10,
        kib.getOrDefault("RssShmem:", 0L) << 10);
  }

  /// Seconds of processor that each living thread has taken, added up by the thread's name.
  public static Map<String, Double> threadSeconds(long pid) throws IOException {
    Map<String, Double> seconds = new TreeMap<>();
    try (DirectoryStream<Path> tasks =
        Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
      for (Path task : tasks) {
        try {
          String name = Files.readString(task.resolve("comm")).strip();
          String nanos = Files.readString(task.resolve("schedstat")).split(" ", 2)[0];
          seconds.merge(name, Long.parseLong(nanos) / 1e9, Double::sum);
        } catch (NoSuchFileException _) {
          // It ended meanwhile.
        }
      }
    }
    return seconds;
  }

  /// Seconds of a Weft runtime's threads that compute: the devices' own and their teams.
  public static double computingSeconds(long pid) throws IOException {
    return threadSeconds(pid).entrySet().stream()
        .filter(thread ->
            thread.getKey().startsWith("weft-device") || thread.getKey().startsWith("weft-cpu"))
        .mapToDouble(Map.Entry::getValue)
        .sum();
  }

  /// Seconds of processor that the whole process has taken, ended threads included.
  public static double seconds(ProcessHandle process) {
    return process.info().totalCpuDuration().orElseThrow().toNanos() / 1e9;
  }
}
