package dev.weft.bench.cpu;

import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.util.Locale;
import java.util.OptionalDouble;

/// One stream, token by token from an empty context, and how much of the machine's read bandwidth
/// that takes.
final class DecodePart implements Part {
  private static final String SPEED = "decode, tok/s";

  @Override
  public String name() {
    return "decode";
  }

  @Override
  public String title() {
    return "Decode, one stream";
  }

  private static int tokens(ModelShape shape) {
    return shape.equals(ModelShape.SMOLLM2_135M)
        ? 128
        : shape.equals(ModelShape.QWEN_1_5B) ? 32 : 64;
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    for (ModelShape shape : setting.shapes()) {
      for (Bits bits : Bits.values()) {
        String label = bits.label(shape);
        try (Contest contest = Contest.open(setting, shape, bits, 1)) {
          for (int round = 0; round < setting.rounds(); round++) {
            contest.decode(
                tokens(shape),
                (subject, speed) -> {
                  boolean memory = subject.equals(Contest.BANDWIDTH);
                  recorder.add(
                      label,
                      memory ? Contest.BANDWIDTH : SPEED,
                      1,
                      memory ? "plain reads" : subject,
                      speed);
                });
          }
        }
        if (bits.hasOwn()) {
          judge(setting, recorder, shape, bits, Contest.OWN, bits.ownBytes(shape));
        }
        judge(setting, recorder, shape, bits, Contest.SAME, bits.fileBytes(shape));
      }
    }
  }

  private static void judge(
      Setting setting,
      PartRecorder recorder,
      ModelShape shape,
      Bits bits,
      String subject,
      double bytes) {
    String label = bits.label(shape);
    String what = "1. decode, %s, %s: ".formatted(label, subject);
    String key =
        "1/%s/%s/%s/"
            .formatted(shape.name(), bits.key(), subject.equals(Contest.OWN) ? "own" : "same");
    OptionalDouble measured = recorder.median(label, SPEED, subject);
    if (measured.isEmpty()) {
      recorder.find(
          Finding.notMeasured(key + "llama", what, "this runtime has no such format", ""));
      return;
    }
    double speed = measured.getAsDouble();
    double bandwidth = recorder.median(label, Contest.BANDWIDTH, "plain reads").orElseThrow();
    double share = speed * bytes / 1e9 / bandwidth;
    recorder.add(label, "share of read bandwidth, %", 0, subject, 100 * share);
    recorder
        .median(label, SPEED, "llama.cpp")
        .ifPresent(llama ->
            recorder.find(
                new Finding(
                    key + "llama",
                    what + "against llama.cpp",
                    String.format(
                        Locale.ROOT,
                        "%.2f x; %.0f %% of read bandwidth",
                        speed / llama,
                        100 * share),
                    ">= 1.25 x, or 90 %",
                    Finding.verdict(speed >= 1.25 * llama || share >= 0.9))));
    recorder
        .median(label, SPEED, "ik_llama.cpp")
        .ifPresent(ik ->
            recorder.find(
                Finding.atLeast(key + "ik", what + "against ik_llama.cpp", speed / ik, 1, " x")));
    if (!shape.equals(ModelShape.SMOLLM2_135M)) {
      recorder.find(
          Finding.atLeast(
              key + "bandwidth", what + "share of read bandwidth", 100 * share, 85, " %"));
    }
    if (Amx.manyCores(setting)) {
      recorder
          .median(label, SPEED, "llama.cpp")
          .ifPresent(llama ->
              recorder.find(
                  Finding.atLeast(
                      "4" + key.substring(1) + "llama",
                      "4. decode on many AMX cores, %s, %s: against llama.cpp"
                          .formatted(label, subject),
                      speed / llama,
                      1.2,
                      " x")));
    }
  }
}
