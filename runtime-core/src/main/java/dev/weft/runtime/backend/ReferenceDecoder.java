package dev.weft.runtime.backend;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.TensorNames;
import dev.weft.runtime.sampling.HostSampler;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// A decoder in float32, one operation after the other.
final class ReferenceDecoder implements DecoderExecutable {
  private static final float[][] NO_LOGITS = {};

  private final DecoderSpec spec;
  private final int contextLength;
  private final KvLayout kvLayout;

  /// Says how many blocks there are; their contents are in [#cache], and what a step computes is in
  /// arrays.
  private final DecoderMemory memory;

  private final WorkerTeam team;
  private final Linear embedding;
  private final List<Layer> layers = new ArrayList<>();
  private final Normalization outputNorm;
  private final Linear output;
  private final RotaryPositions positions;
  private final Attention attention;
  private final ReferenceKvCache cache;
  private final HostSampler sampler = new HostSampler();
  private final Map<Integer, ReferenceAdapter> adapters = new ConcurrentHashMap<>();
  private final AtomicInteger lastAdapter = new AtomicInteger();

  private record Layer(
      Normalization attentionNorm,
      Linear query,
      Linear key,
      Linear value,
      Linear attentionOutput,
      Normalization feedForwardNorm,
      Linear gate,
      Linear up,
      Linear down) {}

  /// The rows of a step: where each comes from and how far it may look.
  @SuppressWarnings("ArrayRecordComponent")
  private record Rows(
      List<StepBatch.Entry> entries, int[] entryOf, int[] positionOf, int[] firstOfEntry) {
    static Rows of(StepBatch batch) {
      int count = batch.rowCount();
      var rows =
          new Rows(
              batch.entries(), new int[count], new int[count], new int[batch.entries().size()]);
      int row = 0;
      for (int entry = 0; entry < rows.entries.size(); entry++) {
        rows.firstOfEntry[entry] = row;
        for (int i = 0; i < rows.entries.get(entry).tokens().length; i++, row++) {
          rows.entryOf[row] = entry;
          rows.positionOf[row] = rows.entries.get(entry).position() + i;
        }
      }
      return rows;
    }

    int count() {
      return entryOf.length;
    }

    int[] blocks(int row) {
      return entries.get(entryOf[row]).blocks();
    }

    int adapter(int row) {
      return entries.get(entryOf[row]).adapter();
    }
  }

  ReferenceDecoder(
      DecoderSpec spec,
      Weights weights,
      CompileOptions options,
      KvLayout kvLayout,
      DecoderMemory memory,
      WorkerTeam team) {
    this.spec = spec;
    this.memory = memory;
    this.contextLength = options.contextLength();
    this.kvLayout = kvLayout;
    this.team = team;
    int hidden = spec.hiddenSize();
    embedding = linear(weights, TensorNames.TOKEN_EMBEDDING, spec.vocabularySize(), hidden);
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      layers.add(layer(weights, layer));
    }
    outputNorm = norm(weights, TensorNames.OUTPUT_NORM);
    output =
        spec.tiedOutput()
            ? embedding
            : linear(weights, TensorNames.OUTPUT, spec.vocabularySize(), hidden);
    positions = new RotaryPositions(spec.rope());
    attention = new Attention(spec.headSize());
    cache =
        new ReferenceKvCache(
            options.kvBlockCount(), spec.layerCount(), kvLayout.blockTokens(), spec.kvWidth());
  }

  private Layer layer(Weights weights, int layer) {
    int hidden = spec.hiddenSize();
    int query = spec.queryWidth();
    int keyValue = spec.kvWidth();
    int wide = spec.intermediateSize();
    if (spec.attentionBias()) {
      // Absent biases would go unnoticed otherwise: they are read where they are.
      List.of("attn_q", "attn_k", "attn_v")
          .forEach(part -> weights.tensor(TensorNames.bias(layer, part)));
    }
    return new Layer(
        norm(weights, TensorNames.weight(layer, "attn_norm")),
        linear(weights, TensorNames.weight(layer, "attn_q"), query, hidden),
        linear(weights, TensorNames.weight(layer, "attn_k"), keyValue, hidden),
        linear(weights, TensorNames.weight(layer, "attn_v"), keyValue, hidden),
        linear(weights, TensorNames.weight(layer, "attn_output"), hidden, query),
        norm(weights, TensorNames.weight(layer, "ffn_norm")),
        linear(weights, TensorNames.weight(layer, "ffn_gate"), wide, hidden),
        linear(weights, TensorNames.weight(layer, "ffn_up"), wide, hidden),
        linear(weights, TensorNames.weight(layer, "ffn_down"), hidden, wide));
  }

  private Linear linear(Weights weights, String name, int outputs, int inputs) {
    return Linear.load(weights, name, outputs, inputs, team);
  }

  private Normalization norm(Weights weights, String name) {
    return new Normalization.Rms(
        Linear.vector(weights, name, spec.hiddenSize()), spec.normEpsilon());
  }

  @Override
  public KvLayout kvLayout() {
    return kvLayout;
  }

  @Override
  public KvFormat kvFormat() {
    return cache.format(spec.kvHeadCount(), spec.headSize());
  }

  @Override
  public PendingStep forward(StepBatch batch) {
    batch.entries().forEach(this::check);
    Rows rows = Rows.of(batch);
    float[][] residual = embed(rows);
    for (int layer = 0; layer < layers.size(); layer++) {
      attend(layer, rows, residual);
      feedForward(layer, rows, residual);
    }
    StepResult result = result(rows, residual);
    return () -> result;
  }

  private void check(StepBatch.Entry entry) {
    int mapped = kvLayout.tiling(memory.kv().chunkBytes()).blocksIn(memory.kv().mappedChunks());
    int blockCount = Math.min(mapped, cache.blockCount());
    entry.requireWithin(
        new StepBatch.Bounds(contextLength, spec.vocabularySize(), blockCount, kvLayout));
    if (entry.adapter() != StepBatch.Entry.NO_ADAPTER && !adapters.containsKey(entry.adapter())) {
      throw new IllegalArgumentException("there is no adapter " + entry.adapter());
    }
  }

  private float[][] embed(Rows rows) {
    float[][] residual = new float[rows.count()][spec.hiddenSize()];
    for (int row = 0; row < residual.length; row++) {
      int entry = rows.entryOf[row];
      embedding.row(
          rows.entries.get(entry).tokens()[row - rows.firstOfEntry[entry]], residual[row]);
    }
    return residual;
  }

  private void attend(int index, Rows rows, float[][] residual) {
    Layer layer = layers.get(index);
    float[][] normed = layer.attentionNorm.apply(residual);
    float[][] queries = product(layer.query, index, "attn_q", rows, normed);
    float[][] keys = product(layer.key, index, "attn_k", rows, normed);
    float[][] values = product(layer.value, index, "attn_v", rows, normed);
    for (int row = 0; row < rows.count(); row++) {
      int position = rows.positionOf[row];
      positions.turn(queries[row], spec.headSize(), position);
      positions.turn(keys[row], spec.headSize(), position);
      cache.write(index, rows.blocks(row), position, keys[row], values[row]);
    }
    float[][] attended = new float[rows.count()][spec.queryWidth()];
    int headsPerKvHead = spec.headCount() / spec.kvHeadCount();
    team.run(
        rows.count() * spec.headCount(),
        1,
        (from, to) -> {
          for (int i = from; i < to; i++) {
            int row = i / spec.headCount();
            int head = i % spec.headCount();
            int end = rows.positionOf[row] + 1;
            int start = spec.slidingWindow() == 0 ? 0 : Math.max(0, end - spec.slidingWindow());
            attention.attend(
                queries[row],
                head * spec.headSize(),
                cache.view(index, rows.blocks(row)),
                head / headsPerKvHead * spec.headSize(),
                start,
                end,
                attended[row]);
          }
        });
    add(residual, product(layer.attentionOutput, index, "attn_output", rows, attended));
  }

  private void feedForward(int index, Rows rows, float[][] residual) {
    Layer layer = layers.get(index);
    float[][] normed = layer.feedForwardNorm.apply(residual);
    float[][] gate = product(layer.gate, index, "ffn_gate", rows, normed);
    float[][] up = product(layer.up, index, "ffn_up", rows, normed);
    for (int row = 0; row < gate.length; row++) {
      for (int i = 0; i < gate[row].length; i++) {
        gate[row][i] = (float) (activate(gate[row][i]) * up[row][i]);
      }
    }
    add(residual, product(layer.down, index, "ffn_down", rows, gate));
  }

  /// The rows' products with a matrix of a layer, each as its adapter has it.
  private float[][] product(Linear matrix, int layer, String part, Rows rows, float[][] x) {
    float[][] y = matrix.apply(x, team);
    for (int row = 0; row < y.length; row++) {
      ReferenceAdapter adapter = adapters.get(rows.adapter(row));
      if (adapter != null) {
        adapter.add(layer, part, x[row], y[row], team);
      }
    }
    return y;
  }

  private double activate(float x) {
    return switch (spec.activation()) {
      case SILU -> Activations.silu(x);
      case GELU_TANH -> Activations.geluTanh(x);
    };
  }

  private static void add(float[][] to, float[][] what) {
    for (int row = 0; row < to.length; row++) {
      for (int i = 0; i < to[row].length; i++) {
        to[row][i] += what[row][i];
      }
    }
  }

  private StepResult result(Rows rows, float[][] residual) {
    var results = new ArrayList<StepResult.Entry>();
    for (int i = 0; i < rows.entries.size(); i++) {
      StepBatch.Entry entry = rows.entries.get(i);
      int end = rows.firstOfEntry[i] + entry.tokens().length;
      float[][] wanted = Arrays.copyOfRange(residual, end - entry.logitRows(), end);
      float[][] logits =
          wanted.length == 0 ? NO_LOGITS : output.apply(outputNorm.apply(wanted), team);
      // The sampler may overwrite what it is given.
      List<SampledToken> sampled =
          entry.sample((row, request) ->
              sampler.sample(logits[logits.length - entry.tokens().length + row].clone(), request));
      results.add(new StepResult.Entry(sampled, entry.keepLogits() ? logits : NO_LOGITS));
    }
    return new StepResult(results);
  }

  @Override
  public void releaseBlocks(int[] blocks) {
    cache.release(blocks);
  }

  @Override
  public long adapterBytes(AdapterWeights adapter) {
    return adapter.deltas().stream()
        .mapToLong(delta -> delta.a().shape().elementCount() + delta.b().shape().elementCount())
        .map(floats -> floats * Float.BYTES)
        .sum();
  }

  @Override
  public int addAdapter(AdapterWeights adapter) {
    adapter.requireFits(spec);
    int handle = lastAdapter.incrementAndGet();
    adapters.put(handle, new ReferenceAdapter(adapter, team));
    return handle;
  }

  @Override
  public void removeAdapter(int handle) {
    if (adapters.remove(handle) == null) {
      throw new IllegalArgumentException("there is no adapter " + handle);
    }
  }

  @Override
  public void moveBlocks(int[] from, int[] to) {
    cache.move(from, to);
  }

  @Override
  public void saveBlocks(int[] blocks, MemorySegment target) {
    cache.save(blocks, target);
  }

  @Override
  public void loadBlocks(int[] blocks, MemorySegment source) {
    cache.load(blocks, source);
  }

  @Override
  public void close() {
    // Weights and cache are arrays: they go with this object.
    memory.close();
  }
}
