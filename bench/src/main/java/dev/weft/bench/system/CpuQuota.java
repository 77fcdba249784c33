package dev.weft.bench.system;

import dev.weft.bench.Confinement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A control group with a quota of processor time, as containers have. Closing removes it; what ran
/// in it must have ended.
public final class CpuQuota implements Confinement, AutoCloseable {
  private static final Path V1 = Path.of("/sys/fs/cgroup/cpu");
  private static final Path V2 = Path.of("/sys/fs/cgroup");
  private static final int PERIOD_MICROS = 100_000;

  private final Path group;

  private CpuQuota(Path group) {
    this.group = group;
  }

  /// A group that may use so many processors; empty where groups cannot be made here.
  public static Optional<CpuQuota> tryOpen(double processors) {
    String name = "weft-bench-" + ProcessHandle.current().pid();
    String quota = String.valueOf(Math.round(processors * PERIOD_MICROS));
    try {
      if (Files.exists(V2.resolve("cgroup.controllers"))) {
        Path group = Files.createDirectory(V2.resolve(name));
        Files.writeString(group.resolve("cpu.max"), quota + " " + PERIOD_MICROS);
        return Optional.of(new CpuQuota(group));
      }
      Path group = Files.createDirectory(V1.resolve(name));
      Files.writeString(group.resolve("cpu.cfs_period_us"), String.valueOf(PERIOD_MICROS));
      Files.writeString(group.resolve("cpu.cfs_quota_us"), quota);
      return Optional.of(new CpuQuota(group));
    } catch (IOException e) {
      System.err.println("no group with a quota: " + e);
      return Optional.empty();
    }
  }

  /// The process is in the group before its program starts.
  @Override
  public List<String> command(List<String> command) {
    List<String> within = new ArrayList<>();
    within.addAll(
        List.of("sh", "-c", "echo $$ > " + group.resolve("cgroup.procs") + "; exec \"$@\"", "sh"));
    within.addAll(command);
    return within;
  }

  @Override
  public void close() throws IOException {
    // The system lets go of an ended process's group a moment after it ended.
    for (int attempt = 0; ; attempt++) {
      try {
        Files.delete(group);
        return;
      } catch (IOException e) {
        if (attempt == 100) {
          throw e;
        }
        try {
          Thread.sleep(20);
        } catch (InterruptedException _) {
          Thread.currentThread().interrupt();
          throw e;
        }
      }
    }
  }
}
