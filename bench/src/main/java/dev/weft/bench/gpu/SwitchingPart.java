package dev.weft.bench.gpu;

import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.HostMemoryLimit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// Two functions on one device that take turns, against one of them with all requests: as many
/// steps of as many sequences. Once step by step, and once batch by batch.
final class SwitchingPart implements GpuPart {
  private static final String SPEED = "tok/s";
  private static final String ALONE = "one function";
  private static final String STEPS = "two, step by step";
  private static final String BATCHES = "two, batch by batch";
  private static final double TARGET = 2;
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private final Sizes sizes;

  /// How large it is.
  ///
  /// @param batches sequences at once, of each function
  /// @param runs of each, one after the other
  record Sizes(ModelShape shape, List<Integer> batches, int prompt, int answer, int runs) {
    Sizes {
      batches = List.copyOf(batches);
    }

    EngineRun.Bounds bounds() {
      int most = Collections.max(batches);
      return new EngineRun.Bounds(prompt + answer, Math.max(512, most), most);
    }
  }

  SwitchingPart() {
    this(new Sizes(ModelShape.LLAMA_2_7B, List.of(1, 8, 32), 128, 192, 5));
  }

  SwitchingPart(Sizes sizes) {
    this.sizes = sizes;
  }

  @Override
  public String name() {
    return "switching";
  }

  @Override
  public String title() {
    return "Two functions that take turns";
  }

  private record Two(EngineRun engine, EngineRun.Function one, EngineRun.Function other) {}

  @Override
  public void run(GpuSetting setting, PartRecorder recorder) throws InterruptedException {
    recorder.remark(
        "%s with random bf16 weights, each function with its own on the device; prompts of %d tokens, answers of %d."
            .formatted(sizes.shape().name(), sizes.prompt(), sizes.answer()));
    recorder.remark(
        "Each way runs the same number of requests in batches of the same size: one function two batches one after the other;"
            + " two functions a batch each, at the same time, with the engine going from one to the"
            + " other after every step; and one after the other. Tokens of answers by the time from"
            + " the first request to the last answer's end, prompts included.");
    try (GpuBackend backend = setting.gpu().open(HostMemoryLimit.NONE);
        var weights = new ShapedWeights(sizes.shape());
        var engine = new EngineRun(backend, backend.capacityBytes())) {
      var two =
          new Two(
              engine,
              engine.add("one", sizes.shape(), weights, sizes.bounds()),
              engine.add("other", sizes.shape(), weights, sizes.bounds()));
      for (int batch : sizes.batches()) {
        // What is done once for a batch of this size: graphs, memory.
        together(two, batch);
        for (int run = 0; run < sizes.runs() * setting.rounds(); run++) {
          String label = label(batch);
          recorder.add(label, SPEED, 1, ALONE, inTurn(two, List.of(two.one(), two.one()), batch));
          recorder.add(label, SPEED, 1, STEPS, together(two, batch));
          recorder.add(
              label, SPEED, 1, BATCHES, inTurn(two, List.of(two.one(), two.other()), batch));
        }
        judge(recorder, batch);
      }
    }
  }

  private static String label(int batch) {
    return "batch %d".formatted(batch);
  }

  private double together(Two two, int batch) throws InterruptedException {
    two.engine().steps().clear();
    long start = System.nanoTime();
    List<Answer> answers = new ArrayList<>(submit(two, two.one(), batch));
    answers.addAll(submit(two, two.other(), batch));
    return speed(answers, start);
  }

  private double inTurn(Two two, List<EngineRun.Function> functions, int batch)
      throws InterruptedException {
    two.engine().steps().clear();
    long start = System.nanoTime();
    List<Answer> all = new ArrayList<>();
    for (EngineRun.Function function : functions) {
      List<Answer> answers = submit(two, function, batch);
      all.addAll(answers);
      for (Answer answer : answers) {
        answer.usage(LIMIT);
      }
    }
    return speed(all, start);
  }

  private List<Answer> submit(Two two, EngineRun.Function function, int batch) {
    return two.engine()
        .submit(function, Collections.nCopies(batch, sizes.prompt()), sizes.answer());
  }

  private static double speed(List<Answer> answers, long start) throws InterruptedException {
    int tokens = 0;
    for (Answer answer : answers) {
      tokens += answer.usage(LIMIT).completionTokens();
    }
    return tokens * 1e9 / (System.nanoTime() - start);
  }

  private static void judge(PartRecorder recorder, int batch) {
    find(recorder, batch, STEPS, "6/%d/steps".formatted(batch));
    find(recorder, batch, BATCHES, "6/%d/batches".formatted(batch));
  }

  private static void find(PartRecorder recorder, int batch, String how, String key) {
    double alone = recorder.median(label(batch), SPEED, ALONE).orElseThrow();
    double two = recorder.median(label(batch), SPEED, how).orElseThrow();
    recorder.find(
        Finding.atMost(
            key,
            "6. %s, batch %d: throughput lost against one function alone".formatted(how, batch),
            loss(alone, two),
            TARGET,
            " %"));
  }

  /// In per cent.
  static double loss(double alone, double two) {
    return 100 * (1 - two / alone);
  }
}
