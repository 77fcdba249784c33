package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/// Times decode and prompts of random weights at the shapes of known models, beside what the
/// device's memory gives in the same run. The figures are of the whole step, host included.
///
/// A model is given as `7B:1,8,1@16384,p8x2048`: decode at batch 1 and 8 with 1,024 tokens of
/// context, at batch 1 with 16,384, and 8 prompts of 2,048 tokens in one step. `7B/int8` has keys
/// and values in int8.
public final class DecodeBench {
  private static final int CONTEXT = 1024;
  private static final int WARM_STEPS = 8;
  private static final int STEPS = 48;
  private static final long COPIED_BYTES = 4L << 30;

  private DecodeBench() {}

  /// What is timed of a model.
  ///
  /// @param batch sequences
  /// @param tokens of context, or of each prompt
  private record Case(boolean prompts, int batch, int tokens) {
    static Case of(String text) {
      if (text.startsWith("p")) {
        String[] both = text.substring(1).split("x", -1);
        return new Case(true, Integer.parseInt(both[0]), Integer.parseInt(both[1]));
      }
      String[] both = text.split("@", -1);
      int context = both.length == 1 ? CONTEXT : Integer.parseInt(both[1]);
      return new Case(false, Integer.parseInt(both[0]), context);
    }

    int rows() {
      return prompts ? batch * tokens : batch;
    }

    int blocksEach(DecoderSpec spec, KvType kv) {
      return GpuKvLayout.of(spec, kv).layout().blocksFor(tokens + WARM_STEPS + STEPS + 1);
    }
  }

  /// @param arguments models and what is timed of them
  public static void main(String[] arguments) {
    String[] asked =
        arguments.length == 0 ? new String[] {"1B:1,8,32,p8x2048", "7B:1,8,32"} : arguments;
    try (var device = new GpuDevice(CudaDriver.open(), 0, RealGpu.kernels(), _ -> {})) {
      System.out.printf(
          Locale.ROOT, "copy ceiling, read + written: %.2f TB/s%n", copyCeiling(device));
    }
    for (String model : asked) {
      String[] parts = model.split(":", -1);
      List<Case> cases = Arrays.stream(parts[1].split(",", -1)).map(Case::of).toList();
      try {
        run(parts[0], cases);
      } catch (RuntimeException e) {
        System.out.println("FAILED " + model);
        e.printStackTrace(System.out);
      }
    }
  }

  private static double copyCeiling(GpuDevice device) {
    long bytes = Math.min(COPIED_BYTES, device.context().driver().memGetInfoFree() / 16);
    try (var from = new DeviceBuffer(device.context(), bytes);
        var to = new DeviceBuffer(device.context(), bytes);
        var start = CudaEvent.timed(device.context());
        var end = CudaEvent.timed(device.context())) {
      double best = 0;
      for (int i = 0; i < 10; i++) {
        start.record(device.stream());
        device.stream().copyOnDevice(from.address(), to.address(), bytes);
        end.record(device.stream());
        end.await();
        best = Math.max(best, 2.0 * bytes / end.millisSince(start) / 1e9);
      }
      return best;
    }
  }

  private static KvType kvType(String name) {
    return name.endsWith("/int8") ? KvType.INT8 : KvType.F16;
  }

  private static DecoderSpec spec(String name) {
    var rope = new DecoderSpec.Rope(10_000, 128, false, List.of());
    var halfRope = new DecoderSpec.Rope(500_000, 64, false, List.of());
    var silu = DecoderSpec.Activation.SILU;
    var smallRope = new DecoderSpec.Rope(10_000, 32, false, List.of());
    return switch (name.split("/", -1)[0]) {
      case "tiny" ->
          new DecoderSpec(
              "llama", 512, 2048, 2, 128, 256, 4, 2, 32, 1e-5, smallRope, silu, false, true, 0);
      case "1B" ->
          new DecoderSpec(
              "llama", 128_256, 8192, 16, 2048, 8192, 32, 8, 64, 1e-5, halfRope, silu, false, true,
              0);
      case "7B" ->
          new DecoderSpec(
              "llama", 32_000, 4096, 32, 4096, 11_008, 32, 32, 128, 1e-5, rope, silu, false, false,
              0);
      case "8B" ->
          new DecoderSpec(
              "llama", 128_256, 8192, 32, 4096, 14_336, 32, 8, 128, 1e-5, rope, silu, false, false,
              0);
      default -> throw new IllegalArgumentException("no model " + name);
    };
  }

  private static void run(String name, List<Case> cases) {
    DecoderSpec spec = spec(name);
    KvType kv = kvType(name);
    long start = System.nanoTime();
    try (var weights = new ShapedWeights(spec);
        var backend = RealGpu.backend()) {
      int blocks =
          cases.stream().mapToInt(c -> c.batch() * c.blocksEach(spec, kv)).max().orElseThrow();
      var options =
          new CompileOptions(
              Quantization.NONE,
              kv,
              2 * cases.stream().mapToInt(Case::tokens).max().orElseThrow(),
              blocks,
              cases.stream().mapToInt(Case::rows).max().orElseThrow(),
              cases.stream().mapToInt(Case::batch).max().orElseThrow());
      try (DecoderExecutable decoder = backend.compile(spec, weights, options)) {
        System.out.printf(
            Locale.ROOT, "%s loaded in %.2f s%n", name, (System.nanoTime() - start) / 1e9);
        for (Case of : cases) {
          if (of.prompts()) {
            prefill(name, spec, decoder, of);
          } else {
            decode(name, spec, decoder, weights, of);
          }
        }
      }
    }
  }

  private static void decode(
      String name, DecoderSpec spec, DecoderExecutable decoder, ShapedWeights weights, Case of) {
    int batch = of.batch();
    KvElement kv = GpuKvLayout.element(kvType(name));
    int blocksEach = of.blocksEach(spec, kvType(name));
    var history = new Sequence(new int[] {1, 2}, 4096, false, 0);
    int[] tokens = IntStream.range(0, batch).map(i -> 5 + i).toArray();
    double[] millis = new double[STEPS];
    for (int step = -WARM_STEPS; step < STEPS; step++) {
      int position = of.tokens() + WARM_STEPS + step;
      var entries = new ArrayList<StepBatch.Entry>();
      for (int i = 0; i < batch; i++) {
        int first = i * blocksEach;
        int[] blocks = IntStream.range(first, first + blocksEach).toArray();
        var sample = new SampleRequest(SamplingParameters.GREEDY, position + 1, history, Set.of());
        entries.add(
            new StepBatch.Entry(
                new int[] {tokens[i]},
                position,
                blocks,
                List.of(sample),
                false,
                StepBatch.Entry.NO_ADAPTER));
      }
      long start = System.nanoTime();
      var results = decoder.forward(new StepBatch(entries)).await().entries();
      if (step >= 0) {
        millis[step] = (System.nanoTime() - start) / 1e6;
      }
      for (int i = 0; i < batch; i++) {
        tokens[i] = results.get(i).sampled().getFirst().token();
      }
    }
    Arrays.sort(millis);
    double median = millis[STEPS / 2];
    double bytes =
        weights.readBytes()
            + 2.0
                * spec.layerCount()
                * spec.kvHeadCount()
                * (spec.headSize() * kv.bytes() + kv.scaleBytes())
                * batch
                * (of.tokens() + WARM_STEPS + STEPS / 2.0);
    System.out.printf(
        Locale.ROOT,
        "%s batch %d, context %d: %.3f ms a step (%.3f to %.3f), %.1f tok/s, %.2f TB/s%n",
        name,
        batch,
        of.tokens(),
        median,
        millis[0],
        millis[STEPS - 1],
        batch * 1000 / median,
        bytes / median / 1e9);
  }

  private static void prefill(String name, DecoderSpec spec, DecoderExecutable decoder, Case of) {
    int blocksEach = of.blocksEach(spec, kvType(name));
    int[] tokens = IntStream.range(0, of.tokens()).map(i -> i % spec.vocabularySize()).toArray();
    var history = new Sequence(new int[] {1, 2}, 4096, false, 0);
    var sample = new SampleRequest(SamplingParameters.GREEDY, of.tokens(), history, Set.of());
    var entries = new ArrayList<StepBatch.Entry>();
    for (int i = 0; i < of.batch(); i++) {
      int[] blocks = IntStream.range(i * blocksEach, (i + 1) * blocksEach).toArray();
      entries.add(
          new StepBatch.Entry(
              tokens, 0, blocks, List.of(sample), false, StepBatch.Entry.NO_ADAPTER));
    }
    double[] millis = new double[5];
    for (int i = -1; i < millis.length; i++) {
      long start = System.nanoTime();
      decoder.forward(new StepBatch(entries)).await();
      if (i >= 0) {
        millis[i] = (System.nanoTime() - start) / 1e6;
      }
    }
    Arrays.sort(millis);
    double median = millis[millis.length / 2];
    System.out.printf(
        Locale.ROOT,
        "%s prompts %d x %d: %.1f ms (%.1f to %.1f), %.0f tok/s%n",
        name,
        of.batch(),
        of.tokens(),
        median,
        millis[0],
        millis[millis.length - 1],
        of.rows() * 1000 / median);
  }

  /// Weights of a spec's shapes in bfloat16: every matrix begins at the same random bytes on the
  /// host, and has its own on the device.
  private static final class ShapedWeights implements Weights {
    private final Arena arena = Arena.ofShared();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final MemorySegment random;
    private final long embeddingBytes;
    private final boolean tied;

    ShapedWeights(DecoderSpec spec) {
      long hidden = spec.hiddenSize();
      long wide = spec.intermediateSize();
      tied = spec.tiedOutput();
      embeddingBytes = 2L * spec.vocabularySize() * hidden;
      random = arena.allocate(Math.max(embeddingBytes, 2 * hidden * wide), 16);
      for (long i = 0; i < random.byteSize() / 4; i++) {
        // Around a hundredth, of either sign.
        int bits = (int) ((i * 0x9E3779B97F4A7C15L) >>> 32);
        random.setAtIndex(JAVA_INT, i, 0x3c003c00 | (bits & 0x807f807f));
      }
      matrix("token_embd.weight", spec.vocabularySize(), hidden);
      if (!tied) {
        matrix("output.weight", spec.vocabularySize(), hidden);
      }
      ones("output_norm.weight", spec.hiddenSize());
      for (int layer = 0; layer < spec.layerCount(); layer++) {
        String blk = "blk." + layer + ".";
        ones(blk + "attn_norm.weight", spec.hiddenSize());
        ones(blk + "ffn_norm.weight", spec.hiddenSize());
        matrix(blk + "attn_q.weight", spec.queryWidth(), hidden);
        matrix(blk + "attn_k.weight", spec.kvWidth(), hidden);
        matrix(blk + "attn_v.weight", spec.kvWidth(), hidden);
        matrix(blk + "attn_output.weight", hidden, spec.queryWidth());
        matrix(blk + "ffn_gate.weight", wide, hidden);
        matrix(blk + "ffn_up.weight", wide, hidden);
        matrix(blk + "ffn_down.weight", hidden, wide);
      }
    }

    private void matrix(String name, long outputs, long inputs) {
      tensors.put(
          name,
          new Tensor(
              name,
              DType.BF16,
              Shape.of(outputs, inputs),
              random.asSlice(0, 2 * outputs * inputs)));
    }

    private void ones(String name, int width) {
      MemorySegment data = arena.allocate(4L * width);
      for (int i = 0; i < width; i++) {
        data.setAtIndex(JAVA_FLOAT, i, 1);
      }
      tensors.put(name, new Tensor(name, DType.F32, Shape.of(width), data));
    }

    /// Bytes that a step reads: all but the table, where that is not the output's as well.
    long readBytes() {
      return byteSize() - (tied ? 0 : embeddingBytes);
    }

    @Override
    public Optional<Tensor> find(String name) {
      return Optional.ofNullable(tensors.get(name));
    }

    @Override
    public Set<String> names() {
      return tensors.keySet();
    }

    @Override
    public long byteSize() {
      return tensors.values().stream().mapToLong(tensor -> tensor.data().byteSize()).sum();
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
