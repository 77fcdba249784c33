package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.TensorNames;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// An encoder's weights on the device. They are freed when it is closed.
///
/// @param buffer that holds them, or null where they were only counted
/// @param tokens its rows are the tokens' vectors, as those of the next two are the positions' and
///   the types' of tokens
record EncoderWeights(
    @Nullable WeightBuffer buffer,
    GpuMatrix tokens,
    GpuMatrix positions,
    GpuMatrix types,
    Norm embeddingNorm,
    List<Layer> layers)
    implements AutoCloseable {
  EncoderWeights {
    layers = List.copyOf(layers);
  }

  /// Where a normalization's weights and biases lie, in float32.
  record Norm(long weight, long bias) {}

  /// One layer's.
  ///
  /// @param queryKeyValue outputs are all queries, all keys, all values
  record Layer(
      Projection queryKeyValue,
      Projection attentionOutput,
      Norm attentionNorm,
      Projection up,
      Projection down,
      Norm outputNorm) {}

  /// Lays out a model, or counts what it takes: whatever `layout` does.
  static EncoderWeights lay(EncoderSpec spec, WeightLayout layout) {
    int hidden = spec.hiddenSize();
    GpuMatrix tokens = layout.table(TensorNames.TOKEN_EMBEDDING, spec.vocabularySize(), hidden);
    GpuMatrix positions = layout.table(TensorNames.POSITION_EMBEDDING, spec.maxPositions(), hidden);
    GpuMatrix types = layout.table(TensorNames.TOKEN_TYPES, hidden);
    Norm embeddingNorm = norm(layout, TensorNames.EMBEDDING_NORM, hidden);
    List<Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      layers.add(layer(spec, layer, layout));
    }
    layout.endStage();
    return new EncoderWeights(layout.buffer(), tokens, positions, types, embeddingNorm, layers);
  }

  private static Layer layer(EncoderSpec spec, int layer, WeightLayout layout) {
    int hidden = spec.hiddenSize();
    int wide = spec.intermediateSize();
    return new Layer(
        layout.projection(
            List.of(
                TensorNames.weight(layer, "attn_q"),
                TensorNames.weight(layer, "attn_k"),
                TensorNames.weight(layer, "attn_v")),
            List.of(hidden, hidden, hidden),
            hidden),
        layout.projection(
            List.of(TensorNames.weight(layer, "attn_output")), List.of(hidden), hidden),
        norm(layout, "blk." + layer + ".attn_output_norm", hidden),
        layout.projection(List.of(TensorNames.weight(layer, "ffn_up")), List.of(wide), hidden),
        layout.projection(List.of(TensorNames.weight(layer, "ffn_down")), List.of(hidden), wide),
        norm(layout, "blk." + layer + ".layer_output_norm", hidden));
  }

  private static Norm norm(WeightLayout layout, String name, int size) {
    return new Norm(layout.vector(name + ".weight", size), layout.vector(name + ".bias", size));
  }

  /// Waits until all of them are there.
  void await() {
    if (buffer != null) {
      buffer.await();
    }
  }

  @Override
  public void close() {
    if (buffer != null) {
      buffer.close();
    }
  }
}
