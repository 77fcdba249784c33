package dev.weft.platform.cli;

import dev.weft.platform.config.HostGpus;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
    name = "doctor",
    description =
        "Checks what Weft needs on this machine and says what to do about what is missing.")
final class DoctorCommand implements Runnable {
  private static final long WANTED_FREE_BYTES = 2L << 30;

  @ParentCommand private Main weft;

  @Spec private CommandSpec spec;

  @Mixin private OutputFormat output;

  @Override
  public void run() {
    List<Check> checks = checks();
    PrintWriter out = spec.commandLine().getOut();
    if (output.json()) {
      out.println(Terminal.json(checks));
    } else {
      List<List<String>> rows = new ArrayList<>(List.of(List.of("CHECK", "STATE", "DETAIL")));
      for (Check check : checks) {
        rows.add(List.of(check.name(), check.state(), check.detail()));
      }
      out.print(Terminal.table(rows));
    }
    out.flush();
    if (checks.stream().anyMatch(check -> check.required() && !check.ok())) {
      throw new CliException(
          "something that Weft needs is missing", "See the lines marked MISSING.");
    }
  }

  private List<Check> checks() {
    List<Check> checks = new ArrayList<>();
    checks.add(new Check("java", true, true, Runtime.version().toString()));
    checks.add(
        program(
            "gcc", true, "compiles the native kernels; install: apt-get install gcc libc6-dev"));
    checks.add(program("mvn", true, "builds Weft; install: apt-get install maven"));
    checks.add(
        program("python3", false, "for pypi: sources only; install: apt-get install python3-pip"));
    checks.add(new Check("cpu", true, true, cpu()));
    checks.add(gpu());
    checks.add(disk());
    Optional<Announcement> platform = Announcement.platform(weft.home());
    checks.add(
        new Check(
            "platform",
            false,
            platform.isPresent(),
            platform
                .map(up -> "up at %s, process %d".formatted(up.url(), up.pid()))
                .orElse("not up; start it: weft up")));
    platform.ifPresent(up -> {
      boolean healthy = weft.api().answers("/health");
      checks.add(new Check("health", true, healthy, healthy ? "answers" : "see weft logs"));
    });
    return checks;
  }

  private Check disk() {
    Path root = weft.home().root();
    Path place = Files.exists(root) ? root : Path.of(System.getProperty("user.home"));
    try {
      long free = Files.getFileStore(place).getUsableSpace();
      return new Check(
          "disk", true, free >= WANTED_FREE_BYTES, Terminal.bytes(free) + " free at " + place);
    } catch (IOException e) {
      return new Check("disk", true, false, "cannot tell: " + e.getMessage());
    }
  }

  private static Check program(String name, boolean required, String why) {
    Optional<Path> found =
        List.of(System.getenv().getOrDefault("PATH", "").split(":")).stream()
            .filter(directory -> !directory.isEmpty())
            .map(directory -> Path.of(directory, name))
            .filter(Files::isExecutable)
            .findFirst();
    return new Check(name, required, found.isPresent(), found.map(Path::toString).orElse(why));
  }

  private static String cpu() {
    int threads = Runtime.getRuntime().availableProcessors();
    try {
      List<String> flags =
          Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
              .filter(line -> line.startsWith("flags"))
              .findFirst()
              .map(line -> List.of(line.substring(line.indexOf(':') + 1).strip().split(" ")))
              .orElse(List.of());
      List<String> known =
          List.of("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16").stream()
              .filter(flags::contains)
              .toList();
      return "%d threads, %s".formatted(threads, String.join(" ", known));
    } catch (IOException e) {
      return threads + " threads";
    }
  }

  /// None is needed; one that is there and cannot be used is told with what to do.
  private static Check gpu() {
    Optional<HostGpus> there = LocalGpus.find();
    if (there.isEmpty()) {
      return new Check("gpu", false, false, "none here");
    }
    return switch (there.get()) {
      case HostGpus.Found(List<HostGpus.Gpu> gpus) ->
          new Check(
              "gpu",
              false,
              true,
              gpus.stream().map(LocalGpus::describe).collect(Collectors.joining(", ")));
      case HostGpus.None(String reason) -> new Check("gpu", false, false, reason);
    };
  }

  /// One thing that was looked at.
  record Check(String name, boolean required, boolean ok, String detail) {
    String state() {
      if (ok) {
        return "ok";
      }
      return required ? "MISSING" : "no";
    }
  }
}
