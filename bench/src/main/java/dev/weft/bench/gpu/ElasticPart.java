package dev.weft.bench.gpu;

import dev.weft.bench.Spread;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.HostMemoryLimit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// Two functions on one device with long prompts, one of which has all the traffic: beside a static
/// split, half the device for each, and beside activations that are reserved for the longest
/// prompt.
final class ElasticPart implements GpuPart {
  private static final String BATCH = "sequences running while others wait";
  private static final String SPEED = "decode while others wait, tok/s";
  private static final String STEP = "a step of these, ms";
  private static final String BYTES = "bytes that it reads, GB";
  private static final String RATE = "read by it, TB/s";
  private static final String STALLS = "changes of mappings, % of steps' time";
  private static final String BESIDE = "changes of mappings beside steps, % of their time";
  private static final String FIRST = "first token of the computed prompt, s";
  private static final String WEFT = "weft";

  private static final String SPLIT = "static split: its half alone";
  private static final String ELASTIC = "elastic: two functions, one busy";
  private static final String RESERVED = "two functions, activations reserved";
  private static final String COMPUTED = "elastic: a prompt is computed";

  private static final int LEAST_STEPS = 4;
  private static final int FIRST_ANSWER = 8;
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private final ElasticSizes sizes;
  private final StepBytes bytes;

  ElasticPart() {
    this(ElasticSizes.LARGE);
  }

  ElasticPart(ElasticSizes sizes) {
    this.sizes = sizes;
    bytes = StepBytes.of(sizes.shape());
  }

  @Override
  public String name() {
    return "elastic";
  }

  @Override
  public String title() {
    return "Elastic memory";
  }

  /// How memory is divided.
  private enum Arm {
    SPLITS(SPLIT),
    ELASTICALLY(ELASTIC),
    RESERVES(RESERVED);

    private final String label;

    Arm(String label) {
      this.label = label;
    }
  }

  @Override
  public void run(GpuSetting setting, PartRecorder recorder) throws InterruptedException {
    new DriverCalls(setting.gpu().driver(), recorder, sizes.calls()).measure();
    double ceiling = setting.gpu().readCeiling();
    try (GpuBackend backend = setting.gpu().open(HostMemoryLimit.NONE);
        var weights = new ShapedWeights(sizes.shape())) {
      long capacity = sizes.capacity().orElseGet(backend::capacityBytes);
      remarks(backend, weights, capacity, ceiling, recorder);
      for (int round = 0; round < setting.rounds(); round++) {
        for (Arm arm : Arm.values()) {
          try (var engine = new EngineRun(backend, arm == Arm.SPLITS ? capacity / 2 : capacity)) {
            new Burst(setting, engine, weights, recorder).run(arm);
          }
        }
      }
    }
    new ElasticJudge(recorder, bytes, ceiling).judge();
  }

  private void remarks(
      GpuBackend backend,
      ShapedWeights weights,
      long capacity,
      double ceiling,
      PartRecorder recorder) {
    recorder.remark(
        "%s with random bf16 weights, prompts of %,d to %,d tokens, answers of %d; %.1f GiB of the device for all, which KV memory is the scarce part of."
                .formatted(
                    sizes.shape().name(),
                    sizes.prompts().stream().mapToInt(Integer::intValue).min().orElseThrow(),
                    sizes.prompts().stream().mapToInt(Integer::intValue).max().orElseThrow(),
                    sizes.answer(),
                    gib(capacity))
            + " (A token of Llama-2-7B takes four times as much of it: two functions of that shape"
            + " with contexts of 128K are more than one device has.)");
    recorder.remark(
        "Prompts of the bursts are not computed, which would take minutes: the engine plans them,"
            + " maps memory for them and gives them blocks as always, and random keys and values"
            + " are written into these from pinned memory; steps with parts of prompts compute"
            + " nothing. What is timed are the other steps, in which all running sequences"
            + " continue, computed over all that, while requests wait for memory.");
    long own =
        backend
            .footprint(
                ShapedWeights.spec(sizes.shape()),
                weights,
                new CompileOptions(
                    Quantization.NONE,
                    sizes.bounds().context(),
                    0,
                    sizes.reservedRows(),
                    sizes.bounds().sequences()))
            .activationBytes();
    recorder.remark(
        "Reserved for a prompt of %,d tokens are %.1f GiB, once for both functions: what a step of so many rows has in"
                .formatted(
                    sizes.reservedRows(),
                    gib(ElasticSizes.reservedBytes(sizes.shape(), sizes.reservedRows())))
            + " bfloat16 at least (residual, normalized rows, gates, ups and their product). This runtime's own layout, with sums in float32, would take %.1f GiB."
                .formatted(gib(own)));
    recorder.remark("The device reads %.2f TB/s in this run.".formatted(ceiling / 1e12));
  }

  private static double gib(long bytes) {
    return bytes / (double) (1L << 30);
  }

  /// One arm of one round.
  private final class Burst {
    private final GpuSetting setting;
    private final EngineRun engine;
    private final ShapedWeights weights;
    private final PartRecorder recorder;
    private final List<WrittenPrompts> decoders = new ArrayList<>();

    Burst(GpuSetting setting, EngineRun engine, ShapedWeights weights, PartRecorder recorder) {
      this.setting = setting;
      this.engine = engine;
      this.weights = weights;
      this.recorder = recorder;
    }

    void run(Arm arm) throws InterruptedException {
      if (arm == Arm.RESERVES) {
        engine.reserve("reserved", ElasticSizes.reservedBytes(sizes.shape(), sizes.reservedRows()));
      }
      EngineRun.Function busy = add("busy");
      if (arm == Arm.SPLITS) {
        burst(arm, busy);
        return;
      }
      EngineRun.Function other = add("other");
      // Everyone has used some of its share before one wants more.
      List<Integer> some = sizes.prompts().subList(0, 2);
      for (Answer answer : engine.submit(other, some, FIRST_ANSWER)) {
        answer.usage(LIMIT);
      }
      burst(arm, busy);
      if (arm == Arm.ELASTICALLY) {
        fill(busy);
        decoders.getLast().compute();
        compute(other);
      }
    }

    private EngineRun.Function add(String name) {
      return engine.add(
          name,
          sizes.shape(),
          weights,
          sizes.bounds(),
          decoder -> {
            var written = new WrittenPrompts(setting.gpu().driver(), decoder, engine::beside);
            decoders.add(written);
            return written;
          });
    }

    private void burst(Arm arm, EngineRun.Function busy) throws InterruptedException {
      engine.steps().clear();
      List<Answer> answers = engine.submit(busy, sizes.burstPrompts(), sizes.answer());
      List<StepLog.Step> seen =
          engine
              .steps()
              .await(
                  step ->
                      step.function().equals(busy.id())
                          && step.decodesOnly()
                          && step.load().waiting() > 0,
                  sizes.steps(),
                  sizes.limit());
      int preempted = engine.steps().preempted();
      EngineRun.cancel(answers, LIMIT);
      if (seen.size() < LEAST_STEPS) {
        throw new IllegalStateException(
            "requests waited for memory in %d steps only".formatted(seen.size()));
      }
      if (preempted > 0) {
        recorder.remark("%s: %d sequences were preempted.".formatted(arm.label, preempted));
      }
      record(arm.label, seen);
    }

    private void record(String label, List<StepLog.Step> seen) {
      double batch = median(seen.stream().map(step -> (double) step.decodeRows()).toList());
      double seconds = median(seen.stream().map(step -> step.nanos() / 1e9).toList());
      double held = median(seen.stream().map(step -> (double) step.heldTokens()).toList());
      recorder.add(label, BATCH, 0, WEFT, batch);
      recorder.add(label, SPEED, 1, WEFT, batch / seconds);
      recorder.add(label, STEP, 2, WEFT, seconds * 1000);
      recorder.add(label, BYTES, 2, WEFT, bytes.with(held) / 1e9);
      recorder.add(label, RATE, 3, WEFT, bytes.with(held) / seconds / 1e12);
      recorder.add(label, STALLS, 3, WEFT, stalls(seen));
    }

    /// Takes what the burst left to the other function, which was less than its next prompt needed.
    private void fill(EngineRun.Function busy) throws InterruptedException {
      for (Answer answer : engine.submit(busy, sizes.fillingPrompts(), FIRST_ANSWER)) {
        answer.usage(LIMIT);
      }
    }

    /// A prompt, on memory that the other function's prefixes hold.
    private void compute(EngineRun.Function other) throws InterruptedException {
      engine.steps().clear();
      long before = engine.mappedChunks();
      long takenBefore = engine.takenChunks();
      long besideBefore = engine.besideNanos();
      long start = System.nanoTime();
      Answer answer = engine.submit(other, List.of(sizes.computedPrompt()), 1).getFirst();
      double seconds = (answer.firstNanos(LIMIT) - start) / 1e9;
      long mapped = engine.mappedChunks() - before;
      long taken = engine.takenChunks() - takenBefore;
      recorder.remark(
          "The prompt that is computed has %,d tokens; %,d chunks are mapped for it, %,d of them out of what the busy function's prefixes held."
              .formatted(sizes.computedPrompt(), mapped, taken));
      recorder.add(COMPUTED, FIRST, 2, WEFT, seconds);
      // A function that still had enough says nothing of mappings.
      if (taken > 0) {
        List<StepLog.Step> steps = engine.steps().steps();
        recorder.add(COMPUTED, STALLS, 3, WEFT, stalls(steps));
        recorder.add(
            COMPUTED, BESIDE, 3, WEFT, percent(engine.besideNanos() - besideBefore, steps));
      }
    }
  }

  private static double median(List<Double> values) {
    return Spread.of(values).median();
  }

  /// In per cent.
  static double stalls(List<StepLog.Step> steps) {
    return percent(steps.stream().mapToLong(StepLog.Step::stallNanos).sum(), steps);
  }

  private static double percent(long nanos, List<StepLog.Step> steps) {
    return 100.0 * nanos / steps.stream().mapToLong(StepLog.Step::nanos).sum();
  }

  /// Holds what was recorded to its targets.
  record ElasticJudge(PartRecorder recorder, StepBytes bytes, double ceiling) {
    void judge() {
      against(SPLIT, "4/split", "a static half-half split", 1.9);
      double speed = median(ELASTIC, SPEED);
      recorder.find(
          Finding.atLeast(
              "4/bound",
              "4. elastic: decode tok/s against what the read ceiling allows at that batch",
              speed / (median(ELASTIC, BATCH) * ceiling / (median(ELASTIC, BYTES) * 1e9)),
              0.9,
              " x"));
      recorder.find(
          Finding.atLeast(
              "4/rate",
              "4. elastic: decode tok/s against what its bytes allow at the rate of the split",
              median(ELASTIC, RATE) / median(SPLIT, RATE),
              0.9,
              " x"));
      against(RESERVED, "4/reserved", "activations reserved for the longest prompt", 1.3);
      recorder.find(
          Finding.atLeast(
              "4/reserved/speed",
              "4. elastic: decode tok/s against activations reserved for the longest prompt",
              speed / median(RESERVED, SPEED),
              1.3,
              " x"));
      recorder.find(
          Finding.reported(
              "4/reserved/allowed",
              "4. elastic: the same, if both read at one rate",
              Finding.text(
                      median(ELASTIC, BATCH)
                          / median(ELASTIC, BYTES)
                          * median(RESERVED, BYTES)
                          / median(RESERVED, BATCH))
                  + " x"));
      stalls(ELASTIC, "4/stalls/decode", "decode steps");
      if (recorder.median(COMPUTED, STALLS, WEFT).isPresent()) {
        stalls(COMPUTED, "4/stalls/prompt", "steps of a prompt whose memory others hold");
      }
    }

    private void against(String label, String key, String what, double target) {
      recorder.find(
          Finding.atLeast(
              key + "/batch",
              "4. elastic: running batch against " + what,
              median(ELASTIC, BATCH) / median(label, BATCH),
              target,
              " x"));
    }

    private void stalls(String label, String key, String what) {
      recorder.find(
          Finding.atMost(
              key,
              "4. elastic: waiting for changes of mappings, share of the time of " + what,
              median(label, STALLS),
              1,
              " %"));
    }

    private double median(String label, String quantity) {
      return recorder.median(label, quantity, WEFT).orElseThrow();
    }
  }
}
