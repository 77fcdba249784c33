package dev.weft.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.weft.bench.EngineSpeed.Speed;
import dev.weft.bench.LoadGenerator.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;

/// Collects what was measured and writes it twice: every measurement as JSON, and medians with
/// their spread as Markdown.
final class BenchReport {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final Map<String, Object> setting = new LinkedHashMap<>();
  private final boolean peer;
  private final Map<String, List<Speed>> engine = new LinkedHashMap<>();
  private final Map<Integer, Map<String, List<Result>>> loads = new TreeMap<>();
  private final Map<String, List<Double>> firstToken = new LinkedHashMap<>();

  BenchReport(int rounds, int threads, boolean peer) {
    this.peer = peer;
    setting.put("date", Instant.now().toString());
    setting.put("machine", machine());
    setting.put("threads", threads);
    setting.put("commit", System.getProperty("weft.commit", "unknown"));
    setting.put("command", System.getProperty("weft.command", "unknown"));
    setting.put("peer", System.getProperty("weft.peer", peer ? "unknown" : "not measured"));
    setting.put("model", "SmolLM2-135M-Instruct Q4_1");
    setting.put("rounds", rounds);
    setting.put("java", Runtime.version().toString());
  }

  void addEngine(Map<String, Speed> round) {
    round.forEach((name, speed) -> add(engine, name, speed));
  }

  void addLoad(String name, Result result) {
    add(loads.computeIfAbsent(result.clients(), _ -> new LinkedHashMap<>()), name, result);
  }

  void addFirstToken(Map<String, Double> round) {
    round.forEach((name, seconds) -> add(firstToken, name, seconds));
  }

  private static <T> void add(Map<String, List<T>> lists, String name, T value) {
    lists.computeIfAbsent(name, _ -> new ArrayList<>()).add(value);
  }

  void write(Path directory) throws IOException {
    Map<String, Object> all = new LinkedHashMap<>(setting);
    all.put("engine", engine);
    all.put("http", loads);
    all.put("firstTokenSeconds", firstToken);
    JSON.writeValue(directory.resolve("results.json").toFile(), all);
    Files.writeString(directory.resolve("results.md"), markdown());
    System.out.print(markdown());
  }

  private String markdown() {
    StringBuilder text = new StringBuilder("# SmolLM2, Weft beside llama.cpp\n\n");
    setting.forEach((name, value) -> text.append("- %s: %s%n".formatted(name, value)));
    text.append(
        """

        Medians, smallest and largest in brackets; each round measures both in turn. Only the
        ratio means something beyond this machine and hour.

        | | weft | llama.cpp | ratio |
        |---|---|---|---|
        """);
    row(text, "prefill, 512 tokens, tok/s", engine, Speed::prefill, 0);
    row(text, "decode, 128 tokens, tok/s", engine, Speed::decode, 1);
    loads.forEach((clients, results) -> {
      String label = "%d client%s, ".formatted(clients, clients == 1 ? "" : "s");
      row(text, label + "tok/s together", results, Result::tokensPerSecond, 1);
      row(text, label + "first token p50, ms", results, Result::ttftP50, 0);
      row(text, label + "first token p95, ms", results, Result::ttftP95, 0);
      row(text, label + "between tokens p50, ms", results, Result::interTokenP50, 1);
      row(text, label + "between tokens p95, ms", results, Result::interTokenP95, 1);
    });
    row(text, "first token from a stopped process, s", firstToken, Double::doubleValue, 2);
    return text.toString();
  }

  private <T> void row(
      StringBuilder text,
      String label,
      Map<String, List<T>> results,
      ToDoubleFunction<T> value,
      int digits) {
    if (results.isEmpty()) {
      return;
    }
    List<Double> medians = new ArrayList<>();
    text.append("| ").append(label);
    for (String name : SideBySide.NAMES) {
      List<T> measured = results.getOrDefault(name, List.of());
      if (measured.isEmpty()) {
        text.append(" | ").append(peer ? "-" : "not measured");
        continue;
      }
      Spread spread = Spread.of(measured.stream().map(value::applyAsDouble).toList());
      medians.add(spread.median());
      String number = "%." + digits + "f";
      text.append(" | ")
          .append(
              String.format(
                  Locale.ROOT,
                  number + " (" + number + " to " + number + ")",
                  spread.median(),
                  spread.smallest(),
                  spread.largest()));
    }
    text.append(
        medians.size() == 2
            ? String.format(Locale.ROOT, " | %.2f |%n", medians.get(0) / medians.get(1))
            : " | |\n");
  }

  private static String machine() {
    try {
      String processor =
          Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
              .filter(line -> line.startsWith("model name"))
              .map(line -> line.substring(line.indexOf(':') + 1).strip())
              .findFirst()
              .orElse("unknown processor");
      return "%s, %d processors".formatted(processor, Runtime.getRuntime().availableProcessors());
    } catch (IOException e) {
      return "unknown processor";
    }
  }
}
