package dev.weft.bench.gateway;

import dev.weft.bench.report.BenchRun;
import dev.weft.bench.report.Machine;
import dev.weft.bench.report.Results;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
    GatewayArguments arguments = BenchRun.arguments(words, GatewayArguments::parse);
    if (arguments.render().isPresent()) {
      results(arguments.render().get()).render();
      return;
    }
    BenchRun.endServersWithProcess();
    Machine machine = Machine.detect(Runtime.getRuntime().availableProcessors());
    Path directory = arguments.results().orElseGet(() -> BenchRun.directory(machine, "-gateway"));
    boolean whole = run(arguments, machine, results(directory));
    System.out.println(directory.resolve("results.md"));
    System.exit(whole ? 0 : 1);
  }

  private static Results results(Path directory) {
    return new Results(
        "The gateway, measured", directory, PARTS.stream().map(GatewayPart::name).toList());
  }

  private static boolean run(GatewayArguments arguments, Machine machine, Results results)
      throws IOException, InterruptedException {
    var setting =
        new GatewayPart.Setting(
            arguments.rounds(),
            arguments.seconds(),
            Path.of(Objects.requireNonNull(System.getProperty("weft.platform"))),
            Files.createTempDirectory("weft-bench"));
    BenchRun run = new BenchRun(machine, results, about(setting));
    for (GatewayPart part : arguments.parts()) {
      run.part(part.name(), part.title(), recorder -> part.run(setting, recorder));
    }
    run.clear(setting.work());
    return run.whole();
  }

  private static Map<String, String> about(GatewayPart.Setting setting) {
    Map<String, String> about = new LinkedHashMap<>();
    about.put("rounds", String.valueOf(setting.rounds()));
    about.put("seconds of each load", String.valueOf(setting.seconds()));
    return about;
  }
}
