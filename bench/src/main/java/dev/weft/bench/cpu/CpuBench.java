package dev.weft.bench.cpu;

import dev.weft.bench.Peer;
import dev.weft.bench.models.BenchModels;
import dev.weft.bench.report.Machine;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.report.Results;
import dev.weft.bench.system.Affinity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Measures the CPU runtime beside its peers; [Arguments] says what can be chosen.
public final class CpuBench {
  static final List<Part> PARTS =
      List.of(
          new DecodePart(),
          new PrefillPart(),
          new HttpPart(),
          new LongPromptPart(),
          new StartPart(),
          new SharingPart(),
          new NeighbourPart(),
          new PerplexityPart(),
          new FootprintPart());

  private CpuBench() {}

  private static List<String> names() {
    return PARTS.stream().map(Part::name).toList();
  }

  public static void main(String[] words) throws IOException, InterruptedException {
    Arguments arguments;
    try {
      arguments = Arguments.parse(words);
    } catch (IllegalArgumentException e) {
      System.err.println("bench: " + e.getMessage());
      System.exit(2);
      return;
    }
    if (arguments.render().isPresent()) {
      results(arguments.render().get()).render();
      return;
    }
    // Interrupted, it leaves no server behind.
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .unstarted(() ->
                    ProcessHandle.current().descendants().forEach(ProcessHandle::destroyForcibly)));
    int processors = Runtime.getRuntime().availableProcessors();
    if (arguments.cpus().isPresent()) {
      Affinity.restrict(arguments.cpus().get());
    }
    Machine machine = Machine.detect(processors);
    Path directory = arguments.results().orElseGet(() -> defaultResults(machine));
    boolean whole = run(arguments, machine, results(directory));
    System.out.println(directory.resolve("results.md"));
    System.exit(whole ? 0 : 1);
  }

  private static Results results(Path directory) {
    return new Results("The CPU runtime, measured", directory, names());
  }

  private static Path defaultResults(Machine machine) {
    String name = "%s-%s".formatted(LocalDate.now(ZoneOffset.UTC), machine.label());
    return Path.of(System.getProperty("weft.results", "bench/results")).resolve(name);
  }

  /// A part that fails leaves the others be.
  private static boolean run(Arguments arguments, Machine machine, Results results)
      throws IOException, InterruptedException {
    Peer.Found found = Peer.find(System.getenv());
    found.absent().forEach(System.err::println);
    Setting setting =
        new Setting(
            arguments.rounds(),
            machine.used(),
            BenchModels.ofEnvironment(),
            found.peers(),
            arguments.shapes(),
            Optional.ofNullable(System.getProperty("weft.runtime")),
            Files.createTempDirectory("weft-bench"));
    boolean whole = true;
    for (Part part : arguments.parts()) {
      System.err.println(part.title());
      PartRecorder recorder = new PartRecorder();
      remarks(found, recorder);
      long start = System.nanoTime();
      try {
        part.run(setting, recorder);
      } catch (IOException | RuntimeException e) {
        whole = false;
        e.printStackTrace();
        recorder.remark("**This part failed before its end: %s**".formatted(e.getMessage()));
      }
      Map<String, String> about = about(setting, machine);
      about.put("duration", (System.nanoTime() - start) / 1_000_000_000 + " s");
      results.save(recorder.result(part.name(), part.title(), about));
      results.render();
    }
    return whole;
  }

  private static void remarks(Peer.Found found, PartRecorder recorder) {
    found.absent().forEach(recorder::remark);
    for (Peer peer : found.peers()) {
      if (!peer.remark().isEmpty()) {
        recorder.remark("%s: %s".formatted(peer.name(), peer.remark()));
      }
    }
  }

  private static Map<String, String> about(Setting setting, Machine machine) {
    Map<String, String> about = new LinkedHashMap<>();
    about.put("date", Instant.now().toString());
    about.put("machine", machine.description());
    about.put("commit", System.getProperty("weft.commit", "unknown"));
    about.put("java", Runtime.version().toString());
    setting.peers().forEach(peer -> about.put(peer.name(), peer.version()));
    about.put("threads", String.valueOf(setting.threads()));
    about.put("rounds", String.valueOf(setting.rounds()));
    return about;
  }
}
