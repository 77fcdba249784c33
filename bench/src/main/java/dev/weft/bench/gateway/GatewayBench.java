package dev.weft.bench.gateway;

import dev.weft.bench.report.Machine;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.report.Results;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// Measures the gateway; [GatewayArguments] says what can be chosen.
public final class GatewayBench {
  static final List<GatewayPart> PARTS =
      List.of(new RoutingPart(), new OverheadPart(), new StreamPart());

  private GatewayBench() {}

  public static void main(String[] words) throws IOException, InterruptedException {
    GatewayArguments arguments;
    try {
      arguments = GatewayArguments.parse(words);
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
    Machine machine = Machine.detect(Runtime.getRuntime().availableProcessors());
    Path directory = arguments.results().orElseGet(() -> defaultResults(machine));
    boolean whole = run(arguments, machine, results(directory));
    System.out.println(directory.resolve("results.md"));
    System.exit(whole ? 0 : 1);
  }

  private static Results results(Path directory) {
    return new Results(
        "The gateway, measured", directory, PARTS.stream().map(GatewayPart::name).toList());
  }

  private static Path defaultResults(Machine machine) {
    String name = "%s-%s-gateway".formatted(LocalDate.now(ZoneOffset.UTC), machine.label());
    return Path.of(System.getProperty("weft.results", "bench/results")).resolve(name);
  }

  /// A part that fails leaves the others be.
  private static boolean run(GatewayArguments arguments, Machine machine, Results results)
      throws IOException, InterruptedException {
    var setting =
        new GatewayPart.Setting(
            arguments.rounds(),
            arguments.seconds(),
            Path.of(Objects.requireNonNull(System.getProperty("weft.platform"))),
            Files.createTempDirectory("weft-bench"));
    boolean whole = true;
    for (GatewayPart part : arguments.parts()) {
      System.err.println(part.title());
      PartRecorder recorder = new PartRecorder();
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

  private static Map<String, String> about(GatewayPart.Setting setting, Machine machine) {
    Map<String, String> about = new LinkedHashMap<>();
    about.put("date", Instant.now().toString());
    about.put("machine", machine.description());
    about.put("commit", System.getProperty("weft.commit", "unknown"));
    about.put("java", Runtime.version().toString());
    about.put("rounds", String.valueOf(setting.rounds()));
    about.put("seconds of each load", String.valueOf(setting.seconds()));
    return about;
  }
}
