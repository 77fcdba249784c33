package dev.weft.bench.live;

import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Puts what rounds came to side by side, and live figures beside simulated ones.
final class Comparison {
  static final String LIVE_EXCLUSIVE = "live, exclusive devices";
  static final String LIVE_MESH = "live, LLM-Mesh";
  static final String SIMULATED_EXCLUSIVE = "simulated, exclusive devices";
  static final String SIMULATED_MESH = "simulated, LLM-Mesh";

  private static final double AGREEMENT_PERCENT = 15;
  private static final String ROUNDS = "all rounds";
  private static final String MET = "requests met";

  private final PartRecorder recorder;
  private final Map<String, List<Double>> met = new LinkedHashMap<>();

  Comparison(PartRecorder recorder) {
    this.recorder = recorder;
  }

  /// Takes a round's figures under one policy, in the order of the rounds.
  void add(int round, int requests, String subject, Figures figures) {
    met.computeIfAbsent(subject, _ -> new ArrayList<>()).add(figures.met());
    recorder.add("round %d, of %d".formatted(round + 1, requests), MET, 0, subject, figures.met());
    recorder.add(ROUNDS, "met, percent", 1, subject, 100 * figures.met() / requests);
    recorder.add(
        ROUNDS,
        "met without allowing for cold starts, percent",
        1,
        subject,
        100 * figures.metWithoutColdStarts() / requests);
    recorder.add(ROUNDS, "worst function, percent met", 1, subject, figures.worstFunction());
    recorder.add(
        ROUNDS, "given up before a token, percent", 1, subject, 100 * figures.gaveUp() / requests);
    recorder.add(ROUNDS, "failed otherwise", 0, subject, figures.failed());
    recorder.add(ROUNDS, "first token, p50, ms", 0, subject, figures.firstTokenMillis());
    recorder.add(ROUNDS, "loads", 0, subject, figures.loads());
    recorder.add(ROUNDS, "devices compute, s", 1, subject, figures.computingSeconds());
  }

  /// Takes what else used processors in a round.
  void add(String subject, ProcessorTime time) {
    recorder.add(ROUNDS, "processor time, runtimes beside it, s", 1, subject, time.runtimes());
    recorder.add(ROUNDS, "processor time, platform, s", 1, subject, time.platform());
    recorder.add(ROUNDS, "processor time, callers, s", 1, subject, time.callers());
  }

  /// Holds the figures of all rounds to the bar.
  void find() {
    recorder.find(
        Finding.reported(
            "live/mesh-over-exclusive",
            "Requests met live by LLM-Mesh, over exclusive devices",
            over(LIVE_MESH, LIVE_EXCLUSIVE)));
    recorder.find(
        Finding.reported(
            "simulated/mesh-over-exclusive",
            "The same, simulated",
            over(SIMULATED_MESH, SIMULATED_EXCLUSIVE)));
    agree("mesh", "LLM-Mesh", LIVE_MESH, SIMULATED_MESH);
    agree("exclusive", "exclusive devices", LIVE_EXCLUSIVE, SIMULATED_EXCLUSIVE);
  }

  private void agree(String key, String policy, String live, String simulated) {
    recorder.find(
        Finding.atMost(
            "agreement/" + key,
            "Requests met, %s: simulated %,.0f, live %,.0f; apart"
                .formatted(policy, sum(simulated), sum(live)),
            apart(sum(live), sum(simulated)),
            AGREEMENT_PERCENT,
            " %"));
  }

  /// By how much of the live figure the simulated one is off, in percent.
  static double apart(double live, double simulated) {
    return 100 * Math.abs(simulated - live) / Math.max(1, live);
  }

  private String over(String subject, String basis) {
    List<Double> rounds = new ArrayList<>();
    List<Double> some = met.getOrDefault(subject, List.of());
    List<Double> others = met.getOrDefault(basis, List.of());
    for (int i = 0; i < some.size(); i++) {
      rounds.add(percentMore(some.get(i), others.get(i)));
    }
    return String.format(
        Locale.ROOT,
        "%+.0f %% (rounds: %s)",
        percentMore(sum(subject), sum(basis)),
        String.join(
            ", ", rounds.stream().map(each -> String.format(Locale.ROOT, "%+.0f", each)).toList()));
  }

  private static double percentMore(double some, double others) {
    return 100 * (some / Math.max(1, others) - 1);
  }

  private double sum(String subject) {
    return met.getOrDefault(subject, List.of()).stream().mapToDouble(Double::doubleValue).sum();
  }
}
