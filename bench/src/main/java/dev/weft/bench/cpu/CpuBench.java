package dev.weft.bench.cpu;

import dev.weft.bench.Peer;
import dev.weft.bench.models.BenchModels;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Machine;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.report.Results;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/// Measures the CPU runtime beside its peers: `[ROUNDS] [--only PART,...] [--models NAME,...]
/// [--results DIR]`, or `--render DIR`, which makes the report of a directory anew. See
/// `bench/README.md`.
public final class CpuBench {
  private static final List<Part> PARTS =
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
  private static final int DEFAULT_ROUNDS = 3;

  private CpuBench() {}

  /// The command line.
  private record Arguments(
      int rounds,
      List<Part> parts,
      List<ModelShape> shapes,
      Optional<Path> results,
      Optional<Path> render) {
    static Arguments parse(String[] words) {
      int rounds = DEFAULT_ROUNDS;
      List<Part> parts = PARTS;
      List<ModelShape> shapes = ModelShape.ALL;
      Optional<Path> results = Optional.empty();
      Optional<Path> render = Optional.empty();
      for (int i = 0; i < words.length; i++) {
        switch (words[i]) {
          case "--only" -> parts = chosen(PARTS, Part::name, value(words, ++i));
          case "--models" -> shapes = chosen(ModelShape.ALL, ModelShape::name, value(words, ++i));
          case "--results" -> results = Optional.of(Path.of(value(words, ++i)));
          case "--render" -> render = Optional.of(Path.of(value(words, ++i)));
          default -> rounds = Integer.parseInt(words[i]);
        }
      }
      return new Arguments(rounds, parts, shapes, results, render);
    }

    private static String value(String[] words, int index) {
      if (index >= words.length) {
        throw new IllegalArgumentException(words[index - 1] + " needs a value");
      }
      return words[index];
    }

    private static <T> List<T> chosen(List<T> all, Function<T, String> name, String words) {
      List<T> chosen = new ArrayList<>();
      for (String word : words.split(",", -1)) {
        chosen.add(
            all.stream()
                .filter(each -> name.apply(each).equals(word))
                .findFirst()
                .orElseThrow(() ->
                    new IllegalArgumentException(
                        "no '%s'; there are %s".formatted(word, all.stream().map(name).toList()))));
      }
      return chosen;
    }
  }

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
      new Results(arguments.render().get(), names()).render();
      return;
    }
    // Interrupted, it leaves no server behind.
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .unstarted(() ->
                    ProcessHandle.current().descendants().forEach(ProcessHandle::destroyForcibly)));
    Path directory = arguments.results().orElseGet(CpuBench::defaultResults);
    boolean whole = run(arguments, new Results(directory, names()));
    System.out.println(directory.resolve("results.md"));
    System.exit(whole ? 0 : 1);
  }

  private static Path defaultResults() {
    String name = "%s-%s".formatted(LocalDate.now(ZoneOffset.UTC), Machine.label());
    return Path.of(System.getProperty("weft.results", "bench/results")).resolve(name);
  }

  /// A part that fails leaves the others be.
  private static boolean run(Arguments arguments, Results results)
      throws IOException, InterruptedException {
    Peer.Found found = Peer.find(System.getenv());
    found.absent().forEach(System.err::println);
    Setting setting =
        new Setting(
            arguments.rounds(),
            Runtime.getRuntime().availableProcessors(),
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
      Map<String, String> about = about(setting);
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

  private static Map<String, String> about(Setting setting) {
    Map<String, String> about = new LinkedHashMap<>();
    about.put("date", Instant.now().toString());
    about.put("machine", Machine.description());
    about.put("commit", System.getProperty("weft.commit", "unknown"));
    about.put("java", Runtime.version().toString());
    setting.peers().forEach(peer -> about.put(peer.name(), peer.version()));
    about.put("threads", String.valueOf(setting.threads()));
    about.put("rounds", String.valueOf(setting.rounds()));
    return about;
  }
}
