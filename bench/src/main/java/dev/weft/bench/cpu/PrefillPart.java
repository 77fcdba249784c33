package dev.weft.bench.cpu;

import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;

/// A prompt of 512 tokens at once.
final class PrefillPart implements Part {
  private static final String SPEED = "prefill of 512 tokens, tok/s";
  private static final int TOKENS = 512;

  @Override
  public String name() {
    return "prefill";
  }

  @Override
  public String title() {
    return "Prefill";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    for (ModelShape shape : setting.shapes(ModelShape.SMOLLM2_135M, ModelShape.LLAMA_1B)) {
      for (Bits bits : Bits.values()) {
        try (Contest contest = Contest.open(setting, shape, bits, TOKENS)) {
          contest.warmUp(TOKENS);
          for (int round = 0; round < setting.rounds(); round++) {
            contest.prefill(
                TOKENS,
                (subject, speed) -> recorder.add(bits.label(shape), SPEED, 0, subject, speed));
          }
        }
      }
      judge(setting, recorder, shape);
    }
  }

  private static void judge(Setting setting, PartRecorder recorder, ModelShape shape) {
    OptionalDouble own = best(recorder, shape, Contest.OWN);
    OptionalDouble same = best(recorder, shape, Contest.SAME);
    double weft = Math.max(own.orElse(0), same.orElse(0));
    String key = "2/%s/".formatted(shape.name());
    best(recorder, shape, "ik_llama.cpp")
        .ifPresent(ik ->
            recorder.find(
                Finding.atLeast(
                    key + "ik",
                    "2. prefill of 512, %s: Weft's best format against ik_llama.cpp's best"
                        .formatted(shape.name()),
                    weft / ik,
                    1.5,
                    " x")));
    OptionalDouble llama = best(recorder, shape, "llama.cpp");
    if (llama.isPresent()) {
      double ratio = weft / llama.getAsDouble();
      String what = "prefill of 512, %s: Weft's best format against llama.cpp's best";
      recorder.find(
          Amx.manyCores(setting)
              ? Finding.atLeast(
                  "4/%s/prefill/llama".formatted(shape.name()),
                  "4. on many AMX cores, " + what.formatted(shape.name()),
                  ratio,
                  3,
                  " x")
              : Finding.reported(
                  key + "llama", "2. " + what.formatted(shape.name()), Finding.text(ratio) + " x"));
    }
    for (Bits bits : Bits.values()) {
      for (String subject : List.of(Contest.OWN, Contest.SAME)) {
        compare(recorder, shape, bits, subject);
      }
    }
  }

  /// Format by format, without a target of its own.
  private static void compare(PartRecorder recorder, ModelShape shape, Bits bits, String subject) {
    OptionalDouble weft = recorder.median(bits.label(shape), SPEED, subject);
    OptionalDouble ik = recorder.median(bits.label(shape), SPEED, "ik_llama.cpp");
    if (weft.isPresent() && ik.isPresent()) {
      recorder.find(
          Finding.reported(
              "2/%s/%s/%s".formatted(shape.name(), bits.key(), subject),
              "2. prefill of 512, %s, %s: against ik_llama.cpp at equal bits"
                  .formatted(bits.label(shape), subject),
              Finding.text(weft.getAsDouble() / ik.getAsDouble()) + " x"));
    }
  }

  private static OptionalDouble best(PartRecorder recorder, ModelShape shape, String subject) {
    return Arrays.stream(Bits.values())
        .map(bits -> recorder.median(bits.label(shape), SPEED, subject))
        .filter(OptionalDouble::isPresent)
        .mapToDouble(OptionalDouble::getAsDouble)
        .max();
  }
}
