package dev.weft.bench.cpu;

import dev.weft.bench.Spread;
import dev.weft.bench.engine.ReadBandwidth;
import dev.weft.bench.load.LoadGenerator;
import dev.weft.bench.load.LoadGenerator.Load;
import dev.weft.bench.load.Meters;
import dev.weft.bench.load.WeftRuntime;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/// Two and four functions in one runtime with little KV memory, of which one has all the traffic,
/// against a runtime that has its share of the memory alone (a static split).
final class SharingPart implements Part {
  private static final ModelShape SHAPE = ModelShape.SMOLLM2_135M;

  /// Weft's own format: its kernels keep up with memory at more rows than those of GGUF's blocks.
  private static final Bits BITS = Bits.EIGHT;

  private static final String BATCH = "sequences running while others wait";
  private static final String SPEED = "decode while others wait, tok/s";
  private static final String PROMPTS = "rows of prompts a token";
  private static final String STALLS = "stalls for memory, % of step time";
  private static final String BYTES = "bytes a step reads at that batch, MB";
  private static final String ALLOWED = "what these bytes allow, as the split reads, tok/s";
  private static final String BANDWIDTH = "share of read bandwidth, %";
  private static final String WEFT = "weft";

  private static final int PROMPT = 128;
  private static final int OUTPUT = 192;

  /// Sequences that a function's own share of KV memory holds.
  private static final int SHARE = 6;

  private static final int CLIENTS_PER_PLACE = 3;
  private static final int SAMPLE_MILLIS = 100;

  @Override
  public String name() {
    return "sharing";
  }

  @Override
  public String title() {
    return "Functions that share a runtime";
  }

  /// What was seen while the memory was the limit.
  ///
  /// @param promptRows for each token that was decoded
  private record Seen(double batch, double tokensPerSecond, double promptRows, double stallShare) {}

  /// What is planned for a function beside its KV memory, and for steps of all functions together.
  private record Fixed(long functionBytes, long stepBytes) {}

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    long kvBytes = (long) SHARE * (PROMPT + OUTPUT) * kvTokenBytes();
    recorder.remark(
        "%s in Weft's own 8 bits (w8a8); KV memory for %d sequences of %d + %d tokens a function, %d clients of the"
                .formatted(SHAPE.name(), SHARE, PROMPT, OUTPUT, CLIENTS_PER_PLACE * SHARE)
            + " busy one for each function in the runtime. Batch and speed are means over the time"
            + " in which requests waited.");
    Fixed fixed = fixed(setting);
    recorder.remark(
        "A function takes %d MiB beside its KV memory of %d MiB, and steps compute in %d MiB more."
            .formatted(fixed.functionBytes() >> 20, kvBytes >> 20, fixed.stepBytes() >> 20));
    for (int round = 0; round < setting.rounds(); round++) {
      double bandwidth = ReadBandwidth.measure(setting.threads(), (long) stepBytes(SHARE));
      Seen split = burst(setting, 1, fixed, kvBytes);
      record(recorder, label(1), split, split, bandwidth);
      for (int functions : new int[] {2, 4}) {
        Seen seen = burst(setting, functions, fixed, kvBytes);
        record(recorder, label(functions), seen, split, bandwidth);
      }
    }
    judge(recorder, 2, 1.9);
    judge(recorder, 4, 3.5);
  }

  /// @param split what a static split gave in the same round
  private static void record(
      PartRecorder recorder, String label, Seen seen, Seen split, double bandwidth) {
    double bytes = stepBytes(seen.batch());
    double steps = seen.tokensPerSecond() / seen.batch();
    double allowedSteps =
        split.tokensPerSecond() / split.batch() * stepBytes(split.batch()) / bytes;
    recorder.add(label, BATCH, 1, WEFT, seen.batch());
    recorder.add(label, SPEED, 0, WEFT, seen.tokensPerSecond());
    recorder.add(label, PROMPTS, 2, WEFT, seen.promptRows());
    recorder.add(label, BYTES, 0, WEFT, bytes / 1e6);
    recorder.add(label, ALLOWED, 0, WEFT, allowedSteps * seen.batch());
    recorder.add(label, BANDWIDTH, 0, WEFT, 100 * steps * bytes / 1e9 / bandwidth);
    recorder.add(label, STALLS, 2, WEFT, 100 * seen.stallShare());
  }

  /// A step reads the weights once, and the KV of each sequence, half of its answer on average.
  private static double stepBytes(double batch) {
    return BITS.ownBytes(SHAPE) + batch * (PROMPT + OUTPUT / 2.0) * kvTokenBytes();
  }

  private static String label(int functions) {
    return functions == 1 ? "static split: its share alone" : functions + " functions, one busy";
  }

  private static long kvTokenBytes() {
    return 2L * 2 * SHAPE.layers() * SHAPE.kvHeads() * SHAPE.headSize();
  }

  /// As the runtime itself plans it, once a prompt has been computed.
  private static Fixed fixed(Setting setting) throws IOException, InterruptedException {
    WeftRuntime.Function function = function(setting, 0);
    try (WeftRuntime runtime = runtime(setting, Optional.empty())) {
      runtime.load(function);
      new LoadGenerator().run(runtime.target(function), new Load(2, 1, PROMPT, 8));
      DeviceStatus.Memory memory = runtime.status().memory();
      long steps = memory.chunks().activationBytes();
      return new Fixed(memory.plannedBytes() - memory.chunks().kvBytes() - steps, steps);
    }
  }

  private static WeftRuntime.Function function(Setting setting, int number) {
    Path model = BITS.bf16(setting.models(), SHAPE);
    return new WeftRuntime.Function("model-" + number, model, BITS.quantization(), PROMPT + OUTPUT);
  }

  private static WeftRuntime runtime(Setting setting, Optional<Long> memory) throws IOException {
    return WeftRuntime.start(
        new WeftRuntime.Options(
            setting.requireRuntime(),
            Files.createDirectories(setting.work().resolve("sharing")),
            setting.threads(),
            memory,
            List.of(),
            setting.work().resolve("weft-sharing.log")));
  }

  private static Seen burst(Setting setting, int functions, Fixed fixed, long kvBytes)
      throws IOException, InterruptedException {
    long memory = fixed.stepBytes() + functions * (fixed.functionBytes() + kvBytes);
    LoadGenerator generator = new LoadGenerator();
    try (WeftRuntime runtime = runtime(setting, Optional.of(memory))) {
      List<WeftRuntime.Function> all =
          IntStream.range(0, functions).mapToObj(number -> function(setting, number)).toList();
      for (WeftRuntime.Function function : all) {
        runtime.load(function);
        // Everyone has used some of its share before one wants more.
        generator.run(runtime.target(function), new Load(2, 1, PROMPT, 8));
      }
      Load load = new Load(functions * SHARE * CLIENTS_PER_PLACE, 1, PROMPT, OUTPUT);
      try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
        var target = runtime.target(all.getFirst());
        Future<?> running = threads.submit(() -> generator.run(target, load));
        List<Sample> samples = watch(runtime, all.getFirst(), running);
        running.get();
        return seen(samples);
      } catch (ExecutionException e) {
        throw new IllegalStateException("the burst failed", e.getCause());
      }
    }
  }

  private record Sample(long nanos, int running, Meters meters) {}

  /// Samples while requests wait.
  private static List<Sample> watch(
      WeftRuntime runtime, WeftRuntime.Function busy, Future<?> running)
      throws IOException, InterruptedException {
    List<Sample> samples = new ArrayList<>();
    while (!running.isDone()) {
      Optional<InstanceStatus> instance = runtime.instance(busy);
      if (instance.isPresent() && instance.get().waitingRequests() > 0) {
        samples.add(
            new Sample(System.nanoTime(), instance.get().runningRequests(), runtime.meters()));
      }
      Thread.sleep(SAMPLE_MILLIS);
    }
    return samples;
  }

  private static Seen seen(List<Sample> samples) {
    if (samples.size() < 4) {
      throw new IllegalStateException(
          "requests waited in %d samples only: memory was not the limit".formatted(samples.size()));
    }
    Meters first = samples.getFirst().meters();
    Meters last = samples.getLast().meters();
    double seconds = (samples.getLast().nanos() - samples.getFirst().nanos()) / 1e9;
    double steps = grown(first, last, "weft_engine_step_duration_seconds_sum");
    double tokens = grown(first, last, "weft_engine_step_rows_sum", "kind=\"decode\"");
    return new Seen(
        Spread.of(samples.stream().map(sample -> (double) sample.running()).toList()).median(),
        tokens / seconds,
        grown(first, last, "weft_engine_step_rows_sum", "kind=\"prefill\"") / tokens,
        grown(first, last, "weft_memory_stall_seconds_sum") / steps);
  }

  private static double grown(Meters first, Meters last, String name, String... labels) {
    return last.sum(name, labels) - first.sum(name, labels);
  }

  private static void judge(PartRecorder recorder, int functions, double batchTarget) {
    String label = label(functions);
    String who = "6. %d functions, one bursting: ".formatted(functions);
    String key = "6/%d/".formatted(functions);
    recorder.find(
        Finding.atLeast(
            key + "batch",
            who + "running batch against a static split",
            median(recorder, label, BATCH) / median(recorder, label(1), BATCH),
            batchTarget,
            " x"));
    recorder.find(
        Finding.atLeast(
            key + "speed",
            who + "tokens/s against what the bytes a step at that batch allow",
            median(recorder, label, SPEED) / median(recorder, label, ALLOWED),
            0.9,
            " x"));
    recorder.find(
        Finding.reported(
            key + "bandwidth",
            who + "bytes a step at that batch, and share of read bandwidth",
            String.format(
                Locale.ROOT,
                "%.0f MB, %.0f %%",
                median(recorder, label, BYTES),
                median(recorder, label, BANDWIDTH))));
    recorder.find(
        Finding.atMost(
            key + "stalls",
            who + "stalls, share of step time",
            median(recorder, label, STALLS),
            1,
            " %"));
  }

  private static double median(PartRecorder recorder, String label, String quantity) {
    return recorder.median(label, quantity, WEFT).orElseThrow();
  }
}
