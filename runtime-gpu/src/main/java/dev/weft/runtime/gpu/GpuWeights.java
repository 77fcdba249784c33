package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Arrival;
import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.TensorNames;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A decoder's weights on the device. They are freed when it is closed.
///
/// @param buffer that holds them, or null where they were only counted
/// @param embedding its rows are the tokens' vectors
/// @param outputNorm where its weights lie, in float32, as those of the layers
/// @param frequencies where one float64 a turned pair lies: its angle a position
record GpuWeights(
    @Nullable WeightBuffer buffer,
    GpuMatrix embedding,
    List<Layer> layers,
    long outputNorm,
    GpuMatrix output,
    long frequencies)
    implements AutoCloseable {
  GpuWeights {
    layers = List.copyOf(layers);
  }

  /// One layer's.
  ///
  /// @param queryKeyValue outputs are all queries, all keys, all values
  /// @param gateUp outputs are all gates, all ups
  record Layer(
      long attentionNorm,
      Projection queryKeyValue,
      Projection attentionOutput,
      long feedForwardNorm,
      Projection gateUp,
      Projection down) {}

  /// Lays out a model, or counts what it takes: whatever `layout` does.
  static GpuWeights lay(DecoderSpec spec, WeightLayout layout) {
    int hidden = spec.hiddenSize();
    long frequencies = layout.doubles(frequencies(spec.rope()));
    GpuMatrix embedding = layout.table(TensorNames.TOKEN_EMBEDDING, spec.vocabularySize(), hidden);
    layout.endStage();
    List<Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      layers.add(layer(spec, layer, layout));
      layout.endStage();
    }
    long outputNorm = layout.vector(TensorNames.OUTPUT_NORM, hidden);
    GpuMatrix output =
        spec.tiedOutput()
            ? embedding
            : layout.table(TensorNames.OUTPUT, spec.vocabularySize(), hidden);
    layout.endStage();
    return new GpuWeights(layout.buffer(), embedding, layers, outputNorm, output, frequencies);
  }

  private static Layer layer(DecoderSpec spec, int layer, WeightLayout layout) {
    int hidden = spec.hiddenSize();
    int query = spec.queryWidth();
    int keyValue = spec.kvWidth();
    int wide = spec.intermediateSize();
    if (spec.attentionBias()) {
      // Absent biases would go unnoticed otherwise: they are read where they are.
      for (String part : List.of("attn_q", "attn_k", "attn_v")) {
        layout.require(TensorNames.bias(layer, part));
      }
    }
    return new Layer(
        layout.vector(TensorNames.weight(layer, "attn_norm"), hidden),
        layout.projection(
            List.of(
                TensorNames.weight(layer, "attn_q"),
                TensorNames.weight(layer, "attn_k"),
                TensorNames.weight(layer, "attn_v")),
            List.of(query, keyValue, keyValue),
            hidden),
        layout.projection(
            List.of(TensorNames.weight(layer, "attn_output")), List.of(hidden), query),
        layout.vector(TensorNames.weight(layer, "ffn_norm"), hidden),
        layout.projection(
            List.of(TensorNames.weight(layer, "ffn_gate"), TensorNames.weight(layer, "ffn_up")),
            List.of(wide, wide),
            hidden),
        layout.projection(List.of(TensorNames.weight(layer, "ffn_down")), List.of(hidden), wide));
  }

  private static double[] frequencies(DecoderSpec.Rope rope) {
    double[] frequencies = new double[rope.dimensions() / 2];
    for (int pair = 0; pair < frequencies.length; pair++) {
      double factor = rope.frequencyFactors().isEmpty() ? 1 : rope.frequencyFactors().get(pair);
      frequencies[pair] = 1 / (Math.pow(rope.theta(), 2.0 * pair / rope.dimensions()) * factor);
    }
    return frequencies;
  }

  /// Whether all of them are there.
  boolean whole() {
    return buffer == null || buffer.whole();
  }

  Arrival arrival() {
    return buffer == null ? Arrival.DONE : buffer;
  }

  /// Has a stream wait for what a step begins with, stage 0; for the layer of index `stage - 1`;
  /// or, after the last, for what makes logits. Returns false where there is nothing to wait for.
  boolean await(int stage, CudaStream stream) {
    return buffer != null && buffer.await(stage, stream);
  }

  @Override
  public void close() {
    if (buffer != null) {
      buffer.close();
    }
  }
}
