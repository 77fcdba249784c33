package dev.weft.bench.cpu;

import dev.weft.bench.Spread;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// One stream, token by token from an empty context, and how much of the machine's read bandwidth
/// that takes. A machine's memory is fast in one minute and slow in the next: each round has
/// several turns of a few tokens, and what is compared are engines, and reads, of the same turn.
final class DecodePart implements Part {
  private static final String SPEED = "decode, tok/s";
  private static final String SHARE = "share of read bandwidth, %";
  private static final int TURNS = 3;

  @Override
  public String name() {
    return "decode";
  }

  @Override
  public String title() {
    return "Decode, one stream";
  }

  /// About a second's.
  private static int tokens(ModelShape shape) {
    return shape.equals(ModelShape.SMOLLM2_135M)
        ? 128
        : shape.equals(ModelShape.QWEN_1_5B) ? 16 : 32;
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "A round has %d turns, each of all engines; ratios are medians of those of the turns, and"
                .formatted(TURNS)
            + " reads are measured just before the engine that they are named after.");
    for (ModelShape shape : setting.shapes()) {
      for (Bits bits : Bits.values()) {
        List<Turn> turns = new ArrayList<>();
        try (Contest contest = Contest.open(setting, shape, bits, 1)) {
          for (int i = 0; i < TURNS * setting.rounds(); i++) {
            Turn turn = new Turn();
            contest.decode(tokens(shape), turn);
            turn.tell(recorder, bits.label(shape));
            turns.add(turn);
          }
        }
        Judge judge = new Judge(setting, recorder, shape, bits, turns);
        if (bits.hasOwn()) {
          judge.judge(Contest.OWN, bits.ownBytes(shape));
        }
        judge.judge(Contest.SAME, bits.fileBytes(shape));
      }
    }
  }

  /// What all were measured at within seconds.
  private static final class Turn implements Contest.DecodeListener {
    private final Map<String, Double> speeds = new LinkedHashMap<>();
    private final Map<String, Double> bandwidths = new LinkedHashMap<>();

    @Override
    public void onSpeed(String subject, double tokensPerSecond) {
      speeds.put(subject, tokensPerSecond);
    }

    @Override
    public void onBandwidth(String subject, double gigabytesPerSecond) {
      bandwidths.put(subject, gigabytesPerSecond);
    }

    void tell(PartRecorder recorder, String label) {
      speeds.forEach((subject, speed) -> recorder.add(label, SPEED, 1, subject, speed));
      bandwidths.forEach((subject, bandwidth) ->
          recorder.add(label, "read bandwidth, GB/s", 1, subject, bandwidth));
    }

    Stream<Double> ratio(String subject, String other) {
      return quotient(speeds.get(subject), speeds.get(other));
    }

    /// Of an engine that reads so many bytes a token.
    Stream<Double> share(String subject, double bytes) {
      return quotient(speeds.get(subject), bandwidths.get(subject))
          .map(tokensPerGigabyte -> tokensPerGigabyte * bytes / 1e9);
    }

    private static Stream<Double> quotient(@Nullable Double value, @Nullable Double of) {
      return value == null || of == null ? Stream.empty() : Stream.of(value / of);
    }
  }

  private record Judge(
      Setting setting, PartRecorder recorder, ModelShape shape, Bits bits, List<Turn> turns) {
    void judge(String subject, double bytes) {
      String label = bits.label(shape);
      String what = "1. decode, %s, %s: ".formatted(label, subject);
      String key =
          "1/%s/%s/%s/"
              .formatted(shape.name(), bits.key(), subject.equals(Contest.OWN) ? "own" : "same");
      List<Double> shares = turns.stream().flatMap(turn -> turn.share(subject, bytes)).toList();
      if (shares.isEmpty()) {
        recorder.find(
            Finding.notMeasured(key + "llama", what, "this runtime has no such format", ""));
        return;
      }
      double share = Spread.of(shares).median();
      shares.forEach(each -> recorder.add(label, SHARE, 0, subject, 100 * each));
      against(subject, "llama.cpp")
          .ifPresent(ratio ->
              recorder.find(
                  new Finding(
                      key + "llama",
                      what + "against llama.cpp",
                      String.format(
                          Locale.ROOT, "%.2f x; %.0f %% of read bandwidth", ratio, 100 * share),
                      ">= 1.25 x, or 90 %",
                      Finding.verdict(ratio >= 1.25 || share >= 0.9))));
      against(subject, "ik_llama.cpp")
          .ifPresent(ratio ->
              recorder.find(
                  Finding.atLeast(key + "ik", what + "against ik_llama.cpp", ratio, 1, " x")));
      if (!shape.equals(ModelShape.SMOLLM2_135M)) {
        recorder.find(
            Finding.atLeast(
                key + "bandwidth", what + "share of read bandwidth", 100 * share, 85, " %"));
      }
      if (Amx.manyCores(setting)) {
        against(subject, "llama.cpp")
            .ifPresent(ratio ->
                recorder.find(
                    Finding.atLeast(
                        "4" + key.substring(1) + "llama",
                        "4. decode on many AMX cores, %s, %s: against llama.cpp"
                            .formatted(label, subject),
                        ratio,
                        1.2,
                        " x")));
      }
    }

    private OptionalDouble against(String subject, String other) {
      List<Double> ratios = turns.stream().flatMap(turn -> turn.ratio(subject, other)).toList();
      return ratios.isEmpty()
          ? OptionalDouble.empty()
          : OptionalDouble.of(Spread.of(ratios).median());
    }
  }
}
