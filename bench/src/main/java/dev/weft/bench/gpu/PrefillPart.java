package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.HostMemoryLimit;
import dev.weft.runtime.instance.InstanceSettings;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.OptionalDouble;

/// Prompts through the engine, from when all are queued to the last one's first token.
final class PrefillPart implements GpuPart {
  private static final int PROMPTS = 8;
  private static final int TOKENS = 2048;
  private static final int WIDE_ROWS = PROMPTS * TOKENS;
  private static final int RUNS = 4;
  private static final double TARGET = 0.9;
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private static final String SPEED = "8 prompts of 2,048 tokens, tok/s";
  private static final String WIDE = "weft, steps of up to 16,384 rows";
  private static final String USUAL = "weft, steps of up to 512 rows";

  @Override
  public String name() {
    return "prefill";
  }

  @Override
  public String title() {
    return "Prefill";
  }

  @Override
  public void run(GpuSetting setting, PartRecorder recorder) throws InterruptedException {
    recorder.remark(VllmFigures.SOURCE);
    recorder.remark(
        "Every run has other prompts; the first run of each is not counted. A step with prompts is"
            + " planned to take no more than a quarter of a second. The runtime's own setting is"
            + " %d rows.".formatted(InstanceSettings.DEFAULT.maxBatchTokens()));
    List<ModelShape> shapes =
        List.of(ModelShape.LLAMA_2_7B, ModelShape.LLAMA_3_1_8B, ModelShape.LLAMA_1B);
    try (GpuBackend backend = setting.gpu().open(HostMemoryLimit.NONE)) {
      for (ModelShape shape : shapes) {
        try (var weights = new ShapedWeights(shape);
            var engine = new EngineRun(backend, backend.capacityBytes())) {
          measure(
              setting,
              engine,
              engine.add("wide", shape, weights, bounds(WIDE_ROWS)),
              WIDE,
              recorder);
          int usual = InstanceSettings.DEFAULT.maxBatchTokens();
          measure(
              setting, engine, engine.add("usual", shape, weights, bounds(usual)), USUAL, recorder);
        }
        judge(recorder, shape);
      }
    }
  }

  private static EngineRun.Bounds bounds(int rows) {
    return new EngineRun.Bounds(TOKENS + 2, rows, PROMPTS);
  }

  private static void measure(
      GpuSetting setting,
      EngineRun engine,
      EngineRun.Function function,
      String subject,
      PartRecorder recorder)
      throws InterruptedException {
    for (int run = -1; run < RUNS * setting.rounds(); run++) {
      long start = System.nanoTime();
      List<Answer> answers = engine.submit(function, Collections.nCopies(PROMPTS, TOKENS), 1);
      long last = start;
      for (Answer answer : answers) {
        last = Math.max(last, answer.firstNanos(LIMIT));
      }
      if (run >= 0) {
        recorder.add(function.shape().name(), SPEED, 0, subject, WIDE_ROWS * 1e9 / (last - start));
      }
    }
    VllmFigures.prefill(function.shape().name())
        .ifPresent(
            speed -> recorder.add(function.shape().name(), SPEED, 0, VllmFigures.NAME, speed));
  }

  private static void judge(PartRecorder recorder, ModelShape shape) {
    OptionalDouble vllm = VllmFigures.prefill(shape.name());
    OptionalDouble wide = recorder.median(shape.name(), SPEED, WIDE);
    OptionalDouble usual = recorder.median(shape.name(), SPEED, USUAL);
    if (vllm.isEmpty() || wide.isEmpty() || usual.isEmpty()) {
      return;
    }
    String key = "3/%s/prefill".formatted(shape.name());
    String what =
        "3. prefill of 8 x 2,048, %s, %s: against vLLM's %,.0f tok/s"
            .formatted(shape.name(), "steps of up to %s rows", vllm.getAsDouble());
    double ratio = wide.getAsDouble() / vllm.getAsDouble();
    recorder.find(
        shape.equals(ModelShape.LLAMA_2_7B)
            ? Finding.atLeast(key, what.formatted("16,384"), ratio, TARGET, " x")
            : Finding.reported(key, what.formatted("16,384"), Finding.text(ratio) + " x"));
    recorder.find(
        Finding.reported(
            key + "/512",
            what.formatted("512"),
            Finding.text(usual.getAsDouble() / vllm.getAsDouble()) + " x"));
  }
}
