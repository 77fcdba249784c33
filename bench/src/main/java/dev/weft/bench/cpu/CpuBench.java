package dev.weft.bench.cpu;

import dev.weft.bench.Peer;
import dev.weft.bench.models.BenchModels;
import dev.weft.bench.report.BenchRun;
import dev.weft.bench.report.Machine;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.report.Results;
import dev.weft.bench.system.Affinity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
    Arguments arguments = BenchRun.arguments(words, Arguments::parse);
    if (arguments.render().isPresent()) {
      results(arguments.render().get()).render();
      return;
    }
    BenchRun.endServersWithProcess();
    int processors = Runtime.getRuntime().availableProcessors();
    if (arguments.cpus().isPresent()) {
      Affinity.restrict(arguments.cpus().get());
    }
    Machine machine = Machine.detect(processors);
    Path directory = arguments.results().orElseGet(() -> BenchRun.directory(machine, ""));
    boolean whole = run(arguments, machine, results(directory));
    System.out.println(directory.resolve("results.md"));
    System.exit(whole ? 0 : 1);
  }

  private static Results results(Path directory) {
    return new Results("The CPU runtime, measured", directory, names());
  }

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
    BenchRun run = new BenchRun(machine, results, about(setting));
    for (Part part : arguments.parts()) {
      run.part(
          part.name(),
          part.title(),
          recorder -> {
            remarks(found, recorder);
            part.run(setting, recorder);
          });
    }
    run.clear(setting.work());
    return run.whole();
  }

  private static void remarks(Peer.Found found, PartRecorder recorder) {
    found.absent().forEach(recorder::remark);
    for (Peer peer : found.peers()) {
      if (!peer.remark().isEmpty()) {
        recorder.remark("%s: %s".formatted(peer.name(), peer.remark()));
      }
    }
  }

  private static Map<String, String> about(Setting setting) {
    Map<String, String> about = new LinkedHashMap<>();
    setting.peers().forEach(peer -> about.put(peer.name(), peer.version()));
    about.put("threads", String.valueOf(setting.threads()));
    about.put("rounds", String.valueOf(setting.rounds()));
    return about;
  }
}
