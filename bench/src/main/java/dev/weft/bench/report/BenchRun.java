package dev.weft.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/// Parts of a benchmark, one after the other, each recorded with what it ran on.
public final class BenchRun {
  private final Machine machine;
  private final Results results;
  private final Map<String, String> setting;
  private boolean whole = true;

  /// Measures a part.
  @FunctionalInterface
  public interface Body {
    void run(PartRecorder recorder) throws IOException, InterruptedException;
  }

  /// @param setting recorded beside what every run says of itself
  public BenchRun(Machine machine, Results results, Map<String, String> setting) {
    this.machine = machine;
    this.results = results;
    this.setting = setting;
  }

  /// Interrupted, the process leaves no server behind.
  public static void endServersWithProcess() {
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .unstarted(() ->
                    ProcessHandle.current().descendants().forEach(ProcessHandle::destroyForcibly)));
  }

  /// What a command line asks for. One that is wrong ends the process, which says why.
  public static <A> A arguments(String[] words, Function<String[], A> parse) {
    try {
      return parse.apply(words);
    } catch (IllegalArgumentException e) {
      System.err.println("bench: " + e.getMessage());
      System.exit(2);
      throw e;
    }
  }

  /// Where results go when nothing else is said: `<date>-<machine><suffix>`.
  public static Path directory(Machine machine, String suffix) {
    return directory(machine.label() + suffix);
  }

  /// `<date>-<label>`.
  public static Path directory(String label) {
    return Path.of(System.getProperty("weft.results", "bench/results"))
        .resolve("%s-%s".formatted(LocalDate.now(ZoneOffset.UTC), label));
  }

  /// Runs and records a part. One that fails leaves the others be.
  public void part(String name, String title, Body body) throws IOException, InterruptedException {
    System.err.println(title);
    PartRecorder recorder = new PartRecorder();
    long start = System.nanoTime();
    try {
      body.run(recorder);
    } catch (IOException | RuntimeException e) {
      whole = false;
      e.printStackTrace();
      recorder.remark("**This part failed before its end: %s**".formatted(e.getMessage()));
    }
    Map<String, String> about = about();
    about.put("duration", (System.nanoTime() - start) / 1_000_000_000 + " s");
    results.save(recorder.result(name, title, about));
    results.render();
  }

  /// Removes the directory that the parts wrote to, logs and packed weights, where none has failed.
  public void clear(Path work) throws IOException {
    if (!whole) {
      System.err.println("What the servers wrote is in " + work);
      return;
    }
    try (Stream<Path> all = Files.walk(work)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(each);
      }
    }
  }

  /// Whether no part has failed.
  public boolean whole() {
    return whole;
  }

  private Map<String, String> about() {
    Map<String, String> about = new LinkedHashMap<>();
    about.put("date", Instant.now().toString());
    about.put("machine", machine.description());
    about.put("commit", System.getProperty("weft.commit", "unknown"));
    about.put("java", Runtime.version().toString());
    about.putAll(setting);
    return about;
  }
}
