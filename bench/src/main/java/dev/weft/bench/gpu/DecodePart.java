package dev.weft.bench.gpu;

import dev.weft.bench.Spread;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.HostMemoryLimit;
import dev.weft.runtime.sampling.SamplingParameters;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;

/// Decode through the engine: prompts are computed, and what is timed are the steps in which all
/// sequences continue and nothing else happens, from the end of one to the end of the next.
final class DecodePart implements GpuPart {
  static final int CONTEXT = 1024;

  private static final int WARM_STEPS = 8;
  private static final int STEPS = 48;

  /// Tokens that a sequence may get before the last one's prompt is computed.
  private static final int EARLY_TOKENS = 64;

  private static final int ROWS = 16_384;
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private static final String SPEED = "decode, tok/s";
  private static final String STEP = "a step through the engine, ms";
  private static final String DEVICE = "of it on the device and waiting for it, ms";
  private static final String MAPPINGS = "of it changing mappings, ms";
  private static final String READ = "weights and KV read, TB/s";
  private static final String WEFT = "weft";

  private static final SamplingParameters SAMPLED =
      new SamplingParameters(0.8, 0, 0.95, 0, 0, 0, 1, Map.of(), 1, -1);

  static final List<DecodeCase> CASES =
      Stream.of(
              cases(ModelShape.LLAMA_2_7B, 1.15, 1.1, 1.1, 1.1, 1.05, 1.0),
              cases(ModelShape.LLAMA_3_1_8B, 1.15, 1.1, 1.1, 1.1, 1.1, 1.1),
              cases(ModelShape.LLAMA_1B, 1.5, 1.1, 0, 0, 0, 0),
              List.of(
                  new DecodeCase(ModelShape.LLAMA_1B, 1, CONTEXT, 0, true),
                  new DecodeCase(ModelShape.LLAMA_1B, 128, CONTEXT, 0, true)))
          .flatMap(List::stream)
          .toList();

  private final List<DecodeCase> cases;

  DecodePart() {
    this(CASES);
  }

  DecodePart(List<DecodeCase> cases) {
    this.cases = cases;
  }

  /// @param one the target of one sequence
  /// @param context of one sequence after 4,096 and 16,384 tokens
  /// @param batches of 8, 32, 64 and 128 sequences
  private static List<DecodeCase> cases(
      ModelShape shape, double one, double context, double... batches) {
    return List.of(
        new DecodeCase(shape, 1, CONTEXT, one),
        new DecodeCase(shape, 1, 4096, context),
        new DecodeCase(shape, 1, 16_384, context),
        new DecodeCase(shape, 8, CONTEXT, batches[0]),
        new DecodeCase(shape, 32, CONTEXT, batches[1]),
        new DecodeCase(shape, 64, CONTEXT, batches[2]),
        new DecodeCase(shape, 128, CONTEXT, batches[3]));
  }

  @Override
  public String name() {
    return "decode";
  }

  @Override
  public String title() {
    return "Decode";
  }

  @Override
  public void run(GpuSetting setting, PartRecorder recorder) throws InterruptedException {
    recorder.remark(VllmFigures.SOURCE);
    recorder.remark(
        "Random bf16 weights and prompts, 1,024 tokens of context where nothing else is said,"
            + " greedy; sampled means temperature 0.8 and top-p 0.95. Medians of %d steps in which"
                .formatted(STEPS)
            + " all sequences continue; the engine's planning and the host's part are in them.");
    double ceiling = setting.gpu().readCeiling();
    recorder.remark("The device reads %.2f TB/s in this run.".formatted(ceiling / 1e12));
    List<ModelShape> shapes = cases.stream().map(DecodeCase::shape).distinct().toList();
    try (GpuBackend backend = setting.gpu().open(HostMemoryLimit.NONE)) {
      for (ModelShape shape : shapes) {
        List<DecodeCase> own = cases.stream().filter(each -> each.shape().equals(shape)).toList();
        try (var weights = new ShapedWeights(shape);
            var engine = new EngineRun(backend, backend.capacityBytes())) {
          int longest = own.stream().mapToInt(DecodeCase::context).max().orElseThrow();
          int most = own.stream().mapToInt(DecodeCase::batch).max().orElseThrow();
          var bounds = new EngineRun.Bounds(longest + answer(), ROWS, most);
          EngineRun.Function function = engine.add("decode", shape, weights, bounds);
          for (int round = 0; round < setting.rounds(); round++) {
            for (DecodeCase each : own) {
              measure(engine, function, each, recorder);
            }
          }
        }
      }
    }
    cases.forEach(each -> judge(recorder, each, ceiling));
  }

  private static int answer() {
    return EARLY_TOKENS + WARM_STEPS + STEPS;
  }

  private static void measure(
      EngineRun engine, EngineRun.Function function, DecodeCase of, PartRecorder recorder)
      throws InterruptedException {
    engine.steps().clear();
    List<Answer> answers =
        engine.submit(
            function,
            Collections.nCopies(of.batch(), of.context()),
            answer(),
            of.sampled() ? SAMPLED : SamplingParameters.GREEDY);
    for (Answer answer : answers) {
      answer.usage(LIMIT);
    }
    List<StepLog.Step> whole = timed(engine.steps().steps(), of.batch());
    double seconds = Spread.of(whole.stream().map(step -> step.nanos() / 1e9).toList()).median();
    double device = millis(whole, step -> step.step().duration().toNanos());
    double mappings = millis(whole, StepLog.Step::stallNanos);
    // All began together, and had about half of what they get besides.
    double tokens = of.batch() * (of.context() + answer() / 2.0);
    double bytes = StepBytes.of(of.shape()).with(tokens);
    recorder.add(of.label(), SPEED, 0, WEFT, of.batch() / seconds);
    vllm(of).ifPresent(speed -> recorder.add(of.label(), SPEED, 0, VllmFigures.NAME, speed));
    recorder.add(of.label(), STEP, 3, WEFT, seconds * 1000);
    recorder.add(of.label(), DEVICE, 3, WEFT, device);
    recorder.add(of.label(), MAPPINGS, 3, WEFT, mappings);
    recorder.add(of.label(), READ, 2, WEFT, bytes / seconds / 1e12);
  }

  /// Of greedy decode.
  private static OptionalDouble vllm(DecodeCase of) {
    return of.sampled()
        ? OptionalDouble.empty()
        : VllmFigures.decode(of.shape().name(), of.batch(), of.context());
  }

  /// The median.
  private static double millis(List<StepLog.Step> steps, ToLongFunction<StepLog.Step> nanos) {
    return Spread.of(steps.stream().map(step -> nanos.applyAsLong(step) / 1e6).toList()).median();
  }

  /// The steps that count.
  static List<StepLog.Step> timed(List<StepLog.Step> steps, int batch) {
    List<StepLog.Step> whole =
        steps.stream()
            .filter(step -> step.decodesOnly() && step.decodeRows() == batch)
            .skip(WARM_STEPS)
            .limit(STEPS)
            .toList();
    if (whole.size() < STEPS) {
      throw new IllegalStateException(
          "%d sequences were decoded together in %d steps only".formatted(batch, whole.size()));
    }
    return whole;
  }

  private static void judge(PartRecorder recorder, DecodeCase of, double ceiling) {
    OptionalDouble weft = recorder.median(of.label(), SPEED, WEFT);
    if (of.sampled() && weft.isPresent()) {
      judgeSampled(recorder, of, weft.getAsDouble());
    }
    OptionalDouble vllm = vllm(of);
    if (weft.isEmpty() || vllm.isEmpty()) {
      return;
    }
    String what =
        "%s. decode, %s: against vLLM's %,.0f tok/s"
            .formatted(of.key().substring(0, 1), of.label(), vllm.getAsDouble());
    double ratio = weft.getAsDouble() / vllm.getAsDouble();
    recorder.find(
        of.target() > 0
            ? Finding.atLeast(of.key(), what, ratio, of.target(), " x")
            : Finding.reported(of.key(), what, Finding.text(ratio) + " x"));
    double share = 100 * recorder.median(of.label(), READ, WEFT).orElseThrow() * 1e12 / ceiling;
    recorder.find(
        Finding.reported(
            of.key() + "/read",
            "%s. decode, %s: share of the read ceiling"
                .formatted(of.key().substring(0, 1), of.label()),
            Finding.text(share) + " %"));
  }

  private static void judgeSampled(PartRecorder recorder, DecodeCase of, double speed) {
    recorder
        .median(of.greedy().label(), SPEED, WEFT)
        .ifPresent(greedy ->
            recorder.find(
                Finding.reported(
                    of.key(),
                    "%s. decode, %s: against greedy"
                        .formatted(of.key().substring(0, 1), of.label()),
                    Finding.text(speed / greedy) + " x")));
  }
}
