package dev.weft.bench.gpu;

import dev.weft.bench.Subprocess;
import dev.weft.bench.models.BenchModels;
import dev.weft.bench.report.BenchRun;
import dev.weft.bench.report.Machine;
import dev.weft.bench.report.Results;
import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.cuda.CudaException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// Measures the GPU runtime on this machine's first GPU; [GpuArguments] says what can be chosen.
/// Several parts run in a process each, so that one which loses the device, or hangs, leaves the
/// others be.
public final class GpuBench {
  static final List<GpuPart> PARTS =
      List.of(
          new ElasticPart(),
          new ColdStartPart(),
          new SwitchingPart(),
          new CeilingsPart(),
          new ProductsPart(),
          new DecodePart(),
          new PrefillPart());

  /// A part's process is ended after so long, for each round.
  private static final Duration LIMIT = Duration.ofMinutes(3);

  private static final String HEAP = "-Xmx8g";

  private GpuBench() {}

  private static List<String> names() {
    return PARTS.stream().map(GpuPart::name).toList();
  }

  public static void main(String[] words) throws IOException, InterruptedException {
    GpuArguments arguments = BenchRun.arguments(words, GpuArguments::parse);
    if (arguments.render().isPresent()) {
      results(arguments.render().get()).render();
      return;
    }
    Path work = Files.createDirectories(work());
    InstalledGpu gpu;
    try {
      gpu = InstalledGpu.find(work.resolve("kernels"));
    } catch (NativeException | CudaException e) {
      System.err.println("bench: there is no GPU to measure: " + e.getMessage());
      System.exit(1);
      return;
    }
    BenchRun.endServersWithProcess();
    Path directory = arguments.results().orElseGet(() -> directory(gpu.name()));
    boolean whole =
        arguments.parts().size() == 1
            ? alone(arguments, gpu, directory, work)
            : each(arguments, gpu, directory);
    System.out.println(directory.resolve("results.md"));
    System.exit(whole ? 0 : 1);
  }

  private static Results results(Path directory) {
    return new Results("The GPU runtime, measured", directory, names());
  }

  private static Path work() {
    String given = System.getProperty("weft.work");
    return given == null
        ? Path.of(System.getProperty("java.io.tmpdir"), "weft-gpu-bench")
        : Path.of(given);
  }

  /// `<date>-<device>` where nothing else is said.
  static Path directory(String device) {
    String label =
        device.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-").replaceAll("-$", "");
    return BenchRun.directory(label);
  }

  private static BenchRun benchRun(GpuArguments arguments, InstalledGpu gpu, Path directory) {
    return new BenchRun(
        Machine.detect(Runtime.getRuntime().availableProcessors()),
        results(directory),
        Map.of("GPU", gpu.description(), "rounds", String.valueOf(arguments.rounds())));
  }

  private static boolean alone(GpuArguments arguments, InstalledGpu gpu, Path directory, Path work)
      throws IOException, InterruptedException {
    BenchRun run = benchRun(arguments, gpu, directory);
    var setting = new GpuSetting(arguments.rounds(), gpu, BenchModels::ofEnvironment, work);
    GpuPart part = arguments.parts().getFirst();
    run.part(part.name(), part.title(), recorder -> part.run(setting, recorder));
    return run.whole();
  }

  private static boolean each(GpuArguments arguments, InstalledGpu gpu, Path directory)
      throws IOException, InterruptedException {
    boolean whole = true;
    for (GpuPart part : arguments.parts()) {
      long start = System.currentTimeMillis();
      List<String> words =
          List.of(
              String.valueOf(arguments.rounds()),
              "--only",
              part.name(),
              "--results",
              directory.toString());
      Process process =
          new ProcessBuilder(Subprocess.java(flags(), GpuBench.class, words)).inheritIO().start();
      boolean ended = process.waitFor(LIMIT.toSeconds() * arguments.rounds(), TimeUnit.SECONDS);
      if (!ended) {
        process.destroyForcibly().waitFor();
      }
      if (!ended || !recorded(directory.resolve(part.name() + ".json"), start)) {
        String how =
            ended ? "with " + process.exitValue() : "after %s s".formatted(LIMIT.toSeconds());
        benchRun(arguments, gpu, directory)
            .part(
                part.name(),
                part.title(),
                _ -> {
                  throw new IllegalStateException("its process was ended " + how);
                });
        whole = false;
      } else {
        whole &= process.exitValue() == 0;
      }
    }
    return whole;
  }

  /// This process's own properties go on to a part's.
  private static List<String> flags() {
    List<String> flags = new ArrayList<>();
    flags.add(HEAP);
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("-Dweft."))
        .forEach(flags::add);
    return flags;
  }

  private static boolean recorded(Path file, long sinceMillis) throws IOException {
    return Files.exists(file)
        && Files.getLastModifiedTime(file).compareTo(FileTime.fromMillis(sinceMillis)) >= 0;
  }
}
