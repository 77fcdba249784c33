package dev.weft.bench.live;

import dev.weft.bench.models.BenchModels;
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

/// Measures the live platform beside its simulation; [LiveArguments] says what can be chosen.
public final class LiveBench {
  private static final String LIVE = "live";
  private static final String SLOW = "slow";

  /// In the order in which they are measured.
  static final List<String> PARTS = List.of(LIVE, SLOW);

  private LiveBench() {}

  public static void main(String[] words) throws IOException, InterruptedException {
    LiveArguments arguments = BenchRun.arguments(words, LiveArguments::parse);
    if (arguments.render().isPresent()) {
      results(arguments.render().get()).render();
      return;
    }
    BenchRun.endServersWithProcess();
    Machine machine = Machine.detect(Runtime.getRuntime().availableProcessors());
    Path directory = arguments.results().orElseGet(() -> BenchRun.directory(machine, "-live"));
    List<LiveFunction> functions = LiveFunction.all(BenchModels.ofEnvironment());
    Path work = Files.createTempDirectory("weft-bench");
    Replays replays =
        new Replays(
            arguments,
            functions,
            new Replays.Place(Path.of(property("weft.platform")), property("weft.runtime"), work));
    BenchRun run = new BenchRun(machine, results(directory), about(arguments, functions));
    if (arguments.parts().contains(LIVE)) {
      run.part(
          LIVE,
          "The live platform and its simulation",
          new LivePart(replays, functions, directory)::run);
    }
    if (arguments.parts().contains(SLOW)) {
      run.part(SLOW, "A device that becomes slower", new SlowDevicePart(replays, functions)::run);
    }
    run.clear(work);
    System.out.println(directory.resolve("results.md"));
    System.exit(run.whole() ? 0 : 1);
  }

  private static Results results(Path directory) {
    return new Results("The live platform, beside its simulation", directory, PARTS);
  }

  private static String property(String name) {
    return Objects.requireNonNull(System.getProperty(name), name);
  }

  private static Map<String, String> about(LiveArguments arguments, List<LiveFunction> functions) {
    Map<String, String> about = new LinkedHashMap<>();
    about.put(
        "functions",
        String.join(", ", functions.stream().map(each -> each.shape().name()).toList()));
    about.put("devices, by processors", String.join("; ", arguments.cpus()));
    about.put("trace", String.valueOf(arguments.trace().getFileName()));
    about.put("rounds", String.valueOf(arguments.rounds()));
    about.put("seconds of each replay", String.valueOf(arguments.seconds()));
    about.put("calls come faster by", String.valueOf(arguments.pace()));
    about.put("prompts and answers are shorter by", String.valueOf(arguments.shorter()));
    about.put("seeds of the simulation", String.valueOf(Simulated.SEEDS));
    return about;
  }
}
