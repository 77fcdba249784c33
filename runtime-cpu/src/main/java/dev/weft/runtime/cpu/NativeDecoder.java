package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.TensorNames;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Owns a native decoder: its plan and its packed weights. KV memory is lent to it.
final class NativeDecoder implements AutoCloseable {
  // enum weft_role
  private static final List<String> LAYER_PARTS = AdapterWeights.PARTS;
  private static final int OUTPUT = 7;
  private static final int ATTENTION_NORM = 8;
  private static final int FEED_FORWARD_NORM = 9;
  private static final int OUTPUT_NORM = 10;

  /// Queries, keys and values have the same input.
  private static final int PARTS_OF_ONE_INPUT = 3;

  private static final int CONFIG_FIELDS = 22;

  private static final long IDLE_NANOS = 30_000_000_000L;

  private final CpuDevice device;
  private final PackedWeights weights;
  private final MemorySegment address;
  private long steppedAtNanos = System.nanoTime();

  private NativeDecoder(CpuDevice device, PackedWeights weights, MemorySegment address) {
    this.device = device;
    this.weights = weights;
    this.address = address;
  }

  /// Packs the weights and prepares the plan. The weights stay open until this is closed.
  static NativeDecoder create(
      CpuDevice device,
      DecoderSpec spec,
      Weights weights,
      CompileOptions options,
      KvLayout kvLayout,
      long kvAddress,
      Packing packing) {
    PackedWeights packed = new PackedWeights(device, weights, packing);
    try (Arena scratch = Arena.ofConfined()) {
      Tensor table =
          packed.table(TensorNames.TOKEN_EMBEDDING, spec.vocabularySize(), spec.hiddenSize());
      MemorySegment config =
          config(
              spec,
              options,
              kvLayout,
              kvAddress,
              packed.borrow(table),
              Natives.typeCode(table.dtype()),
              scratch);
      MemorySegment address = device.library().decoderCreate(device.address(), config);
      NativeDecoder decoder = new NativeDecoder(device, packed, address);
      try {
        decoder.load(spec);
        return decoder;
      } catch (RuntimeException | Error e) {
        device.library().decoderFree(address);
        throw e;
      }
    } catch (RuntimeException | Error e) {
      packed.close();
      throw e;
    }
  }

  /// Bytes of scratch that a step of so many rows takes, without its logits.
  static long scratchBytes(
      CpuDevice device, DecoderSpec spec, CompileOptions options, KvLayout kvLayout, int rows) {
    try (Arena scratch = Arena.ofConfined()) {
      var step =
          new CompileOptions(
              options.quantization(),
              options.kvType(),
              options.contextLength(),
              options.kvBlockCount(),
              rows,
              options.maxSequences());
      MemorySegment config = config(spec, step, kvLayout, 0, MemorySegment.NULL, 0, scratch);
      return device.library().decoderBytes(device.address(), config);
    }
  }

  private static MemorySegment config(
      DecoderSpec spec,
      CompileOptions options,
      KvLayout kvLayout,
      long kvAddress,
      MemorySegment embedding,
      int embeddingType,
      Arena arena) {
    List<Float> factors = spec.rope().frequencyFactors();
    MemorySegment factorArray =
        factors.isEmpty() ? MemorySegment.NULL : arena.allocate(JAVA_FLOAT, factors.size());
    for (int i = 0; i < factors.size(); i++) {
      factorArray.setAtIndex(JAVA_FLOAT, i, factors.get(i));
    }
    boolean gelu =
        switch (spec.activation()) {
          case SILU -> false;
          case GELU_TANH -> true;
        };
    return new StructWriter(arena, CONFIG_FIELDS)
        .integers(
            spec.vocabularySize(), spec.layerCount(), spec.hiddenSize(), spec.intermediateSize())
        .integers(spec.headCount(), spec.kvHeadCount(), spec.headSize())
        .integers(spec.rope().dimensions(), spec.rope().interleaved() ? 1 : 0)
        .integers(gelu ? 1 : 0, spec.slidingWindow())
        .integers(options.kvType() == KvType.INT8 ? 1 : 0)
        .integers(kvLayout.blockTokens(), options.kvBlockCount())
        .integers(options.maxBatchTokens(), options.maxSequences())
        .real(spec.normEpsilon())
        .real(spec.rope().theta())
        .address(factorArray)
        .address(embedding)
        .integers(embeddingType, kvAddress)
        .done();
  }

  /// All projections of a model, in the order of `enum weft_role`.
  static List<PackedWeights.Projection> projections(DecoderSpec spec) {
    int hidden = spec.hiddenSize();
    int query = spec.queryWidth();
    int keyValue = spec.kvWidth();
    int wide = spec.intermediateSize();
    int[] outputs = {query, keyValue, keyValue, hidden, wide, wide, hidden};
    int[] inputs = {hidden, hidden, hidden, query, hidden, hidden, wide};
    var all = new ArrayList<PackedWeights.Projection>();
    // The largest first: packing runs on several threads.
    String output = spec.tiedOutput() ? TensorNames.TOKEN_EMBEDDING : TensorNames.OUTPUT;
    all.add(
        new PackedWeights.Projection(
            -1, OUTPUT, output.replaceFirst("\\.weight$", ""), spec.vocabularySize(), hidden));
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      for (int role = 0; role < LAYER_PARTS.size(); role++) {
        String name = "blk." + layer + "." + LAYER_PARTS.get(role);
        all.add(new PackedWeights.Projection(layer, role, name, outputs[role], inputs[role]));
      }
    }
    return all;
  }

  private void load(DecoderSpec spec) {
    weights.pack(
        projections(spec),
        (projection, matrix) -> {
          device.library().decoderMatrix(address, projection.layer(), projection.role(), matrix);
          weights
              .findVector(projection.biasName(), projection.outputs())
              .ifPresent(bias -> set(projection.layer(), projection.role(), bias));
        });
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      String attention = TensorNames.weight(layer, "attn_norm");
      String feedForward = TensorNames.weight(layer, "ffn_norm");
      set(layer, ATTENTION_NORM, weights.vector(attention, spec.hiddenSize()));
      set(layer, FEED_FORWARD_NORM, weights.vector(feedForward, spec.hiddenSize()));
      if (spec.attentionBias()) {
        weights.vector(TensorNames.bias(layer, "attn_q"), spec.queryWidth());
        weights.vector(TensorNames.bias(layer, "attn_k"), spec.kvWidth());
        weights.vector(TensorNames.bias(layer, "attn_v"), spec.kvWidth());
      }
    }
    set(-1, OUTPUT_NORM, weights.vector(TensorNames.OUTPUT_NORM, spec.hiddenSize()));
  }

  private void set(int layer, int role, MemorySegment vector) {
    long count = vector.byteSize() / Float.BYTES;
    device.library().decoderVector(address, layer, role, vector, count);
  }

  /// Workers of the device, which a step may take.
  int threads() {
    return device.threads();
  }

  int rowsAtOnce() {
    return device.isa().rowsAtOnce();
  }

  /// Runs the step that [StepBuffer#fill] described.
  void run(MemorySegment step) {
    long now = System.nanoTime();
    if (now - steppedAtNanos > IDLE_NANOS) {
      // The system may have dropped weights of an idle function from memory.
      weights.willNeed();
    }
    steppedAtNanos = now;
    device.library().decoderStep(address, step);
  }

  long adapterBytes(AdapterWeights adapter, CompileOptions options) {
    int rank = adapter.deltas().stream().mapToInt(AdapterWeights.Delta::rank).max().orElse(0);
    long products = (long) options.maxBatchTokens() * PARTS_OF_ONE_INPUT * rank * Float.BYTES;
    return NativeAdapter.bytes(device.library(), adapter) + products;
  }

  NativeAdapter packAdapter(DecoderSpec spec, AdapterWeights adapter) {
    return NativeAdapter.create(device.library(), spec, adapter);
  }

  void moveBlocks(int[] from, int[] to) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment sources = scratch.allocateFrom(JAVA_INT, from);
      device.library().decoderMove(address, sources, scratch.allocateFrom(JAVA_INT, to), to.length);
    }
  }

  /// @param stride bytes between the contents of two blocks in `target`
  void saveBlocks(int[] blocks, MemorySegment target, long stride) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment list = scratch.allocateFrom(JAVA_INT, blocks);
      device.library().decoderSave(address, list, blocks.length, target, stride);
    }
  }

  void loadBlocks(int[] blocks, MemorySegment source, long stride) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment list = scratch.allocateFrom(JAVA_INT, blocks);
      device.library().decoderLoad(address, list, blocks.length, source, stride);
    }
  }

  @Override
  public void close() {
    device.library().decoderFree(address);
    weights.close();
  }
}
