package dev.weft.bench;

import dev.weft.bench.EngineSpeed.Speed;
import dev.weft.bench.LoadGenerator.Load;
import dev.weft.bench.LoadGenerator.Result;
import dev.weft.bench.LoadGenerator.Target;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Weft's CPU runtime beside llama.cpp on SmolLM2, in one run: each round measures both, one after
/// the other, since a machine's speed drifts and only ratios within a run mean something.
///
/// Arguments: `engine`, `http`, `start` or `all`, the number of rounds, the runtime's application
/// directory and the directory for results. `LLAMA_CPP_BIN` names the directory with `llama-bench`
/// and `llama-server`; without it the peer is reported as not measured.
public final class SideBySide {
  private static final int[] CLIENTS = {1, 4, 8};
  private static final int PROMPT_TOKENS = 128;
  private static final int OUTPUT_TOKENS = 64;
  private static final int REQUESTS = 3;
  private static final String WEFT = "weft";
  private static final String LLAMA = "llama.cpp";

  static final List<String> NAMES = List.of(WEFT, LLAMA);

  private final int rounds;
  private final int threads = Runtime.getRuntime().availableProcessors();
  private final Path model = QuickstartModels.smolLm2();
  private final Path app;
  private final Path results;
  private final Optional<Path> llama;
  private final LoadGenerator generator = new LoadGenerator();
  private final BenchReport report;
  private int prompts;

  private SideBySide(int rounds, Path app, Path results) {
    this.rounds = rounds;
    this.app = app;
    this.results = results;
    this.llama = Optional.ofNullable(System.getenv("LLAMA_CPP_BIN")).map(Path::of);
    this.report = new BenchReport(rounds, threads, llama.isPresent());
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    String what = arguments[0];
    Path results = Files.createDirectories(Path.of(arguments[3]));
    SideBySide bench =
        new SideBySide(Integer.parseInt(arguments[1]), Path.of(arguments[2]), results);
    if (bench.llama.isEmpty()) {
      System.err.println(
          "llama.cpp is not measured: set LLAMA_CPP_BIN to the directory of llama-bench and"
              + " llama-server (bench/README.md says how to build them)");
    }
    if (what.equals("engine") || what.equals("all")) {
      bench.engine();
    }
    if (what.equals("http") || what.equals("all")) {
      bench.http();
    }
    if (what.equals("start") || what.equals("all")) {
      bench.firstToken();
    }
    bench.report.write(results);
  }

  private void engine() throws IOException, InterruptedException {
    try (EngineSpeed.Weft weft = new EngineSpeed.Weft(model, threads)) {
      weft.measure(); // warms up, as llama-bench does by itself
      for (int round = 0; round < rounds; round++) {
        Map<String, Speed> speeds = new LinkedHashMap<>();
        speeds.put(WEFT, weft.measure());
        if (llama.isPresent()) {
          speeds.put(LLAMA, EngineSpeed.llama(llama.get(), model, threads));
        }
        System.err.println("engine " + speeds);
        report.addEngine(speeds);
      }
    }
  }

  private BenchServer start(String name) throws IOException {
    Path log = results.resolve(name + ".log");
    return name.equals(WEFT)
        ? WeftRuntime.start(app, model, threads, log)
        : LlamaServer.start(llama.orElseThrow(), model, threads, log);
  }

  private List<String> names() {
    return llama.isPresent() ? NAMES : List.of(WEFT);
  }

  /// Both servers stay up and idle beside each other: an idle one costs nothing, and starting them
  /// anew each round would measure warming up.
  private void http() throws IOException, InterruptedException {
    Map<String, BenchServer> servers = new LinkedHashMap<>();
    Map<String, Target> targets = new LinkedHashMap<>();
    try {
      for (String name : names()) {
        BenchServer server = start(name);
        servers.put(name, server);
        targets.put(name, server.target());
        generator.run(targets.get(name), load(1, 2));
      }
      for (int round = 0; round < rounds; round++) {
        for (int clients : CLIENTS) {
          for (Map.Entry<String, Target> target : targets.entrySet()) {
            Result result = generator.run(target.getValue(), load(clients, REQUESTS));
            System.err.println(target.getKey() + " " + result);
            report.addLoad(target.getKey(), result);
          }
        }
      }
    } finally {
      for (BenchServer server : servers.values()) {
        server.close();
      }
    }
  }

  private Load load(int clients, int requests) {
    int first = prompts;
    prompts += clients * requests;
    return new Load(clients, requests, PROMPT_TOKENS, OUTPUT_TOKENS, first);
  }

  /// From starting the process to the first token of a streamed answer; the model's file is in the
  /// page cache.
  private void firstToken() throws IOException, InterruptedException {
    for (int round = 0; round < rounds; round++) {
      Map<String, Double> seconds = new LinkedHashMap<>();
      for (String name : names()) {
        long start = System.nanoTime();
        try (BenchServer server = start(name)) {
          Target target = server.target();
          double readySeconds = (System.nanoTime() - start) / 1e9;
          Load load = load(1, 1);
          double firstMillis =
              generator
                  .complete(target, LoadGenerator.prompt(load.firstPrompt(), load), load)
                  .firstMillis();
          seconds.put(name, readySeconds + firstMillis / 1e3);
        }
      }
      System.err.println("first token " + seconds);
      report.addFirstToken(seconds);
    }
  }
}
