package dev.weft.runtime.backend;

import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.TensorNames;
import dev.weft.runtime.weights.Weights;
import java.util.ArrayList;
import java.util.List;

/// A BERT-class encoder in float32, one operation after the other.
final class ReferenceEncoder implements EncoderExecutable {
  private final EncoderSpec spec;

  /// Lent, and not used: what a pass computes is in arrays.
  private final Scratch scratch;

  private final WorkerTeam team;
  private final Linear tokens;
  private final Linear positions;
  private final float[] type;
  private final Normalization embeddingNorm;
  private final List<Layer> layers = new ArrayList<>();
  private final Attention attention;

  private record Layer(
      Linear query,
      Linear key,
      Linear value,
      Linear attentionOutput,
      Normalization attentionNorm,
      Linear up,
      Linear down,
      Normalization outputNorm) {}

  ReferenceEncoder(EncoderSpec spec, Weights weights, Scratch scratch, WorkerTeam team) {
    this.spec = spec;
    this.scratch = scratch;
    this.team = team;
    int hidden = spec.hiddenSize();
    tokens = linear(weights, TensorNames.TOKEN_EMBEDDING, spec.vocabularySize(), hidden);
    positions = linear(weights, TensorNames.POSITION_EMBEDDING, spec.maxPositions(), hidden);
    type = Linear.firstRow(weights, TensorNames.TOKEN_TYPES, hidden);
    embeddingNorm = norm(weights, TensorNames.EMBEDDING_NORM);
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      layers.add(layer(weights, layer));
    }
    attention = new Attention(spec.headSize());
  }

  private Layer layer(Weights weights, int layer) {
    int hidden = spec.hiddenSize();
    int wide = spec.intermediateSize();
    return new Layer(
        linear(weights, TensorNames.weight(layer, "attn_q"), hidden, hidden),
        linear(weights, TensorNames.weight(layer, "attn_k"), hidden, hidden),
        linear(weights, TensorNames.weight(layer, "attn_v"), hidden, hidden),
        linear(weights, TensorNames.weight(layer, "attn_output"), hidden, hidden),
        norm(weights, "blk." + layer + ".attn_output_norm"),
        linear(weights, TensorNames.weight(layer, "ffn_up"), wide, hidden),
        linear(weights, TensorNames.weight(layer, "ffn_down"), hidden, wide),
        norm(weights, "blk." + layer + ".layer_output_norm"));
  }

  private Linear linear(Weights weights, String name, int outputs, int inputs) {
    return Linear.load(weights, name, outputs, inputs, team);
  }

  private Normalization norm(Weights weights, String prefix) {
    return new Normalization.Layer(
        Linear.vector(weights, prefix + ".weight", spec.hiddenSize()),
        Linear.vector(weights, prefix + ".bias", spec.hiddenSize()),
        spec.normEpsilon());
  }

  @Override
  public int dimensions() {
    return spec.hiddenSize();
  }

  @Override
  public List<float[]> forward(List<int[]> texts) {
    texts.forEach(text -> TextBatch.requireWithin(spec, text));
    int[] firstRow = new int[texts.size() + 1];
    for (int text = 0; text < texts.size(); text++) {
      firstRow[text + 1] = firstRow[text] + texts.get(text).length;
    }
    float[][] states = new float[firstRow[texts.size()]][];
    int[] textOf = new int[states.length];
    for (int text = 0; text < texts.size(); text++) {
      for (int position = 0; position < texts.get(text).length; position++) {
        int row = firstRow[text] + position;
        states[row] = embed(texts.get(text)[position], position);
        textOf[row] = text;
      }
    }
    for (Layer layer : layers) {
      float[][] attended = attend(layer, states, textOf, firstRow);
      states = layer.attentionNorm.apply(sum(layer.attentionOutput.apply(attended, team), states));
      float[][] wide = layer.up.apply(states, team);
      team.run(wide.length, 1, (from, to) -> gelu(wide, from, to));
      states = layer.outputNorm.apply(sum(layer.down.apply(wide, team), states));
    }
    var vectors = new ArrayList<float[]>();
    for (int text = 0; text < texts.size(); text++) {
      vectors.add(pool(states, firstRow[text], firstRow[text + 1]));
    }
    return vectors;
  }

  private float[] embed(int token, int position) {
    float[] sum = new float[spec.hiddenSize()];
    float[] place = new float[spec.hiddenSize()];
    tokens.row(token, sum);
    positions.row(position, place);
    for (int i = 0; i < sum.length; i++) {
      sum[i] += type[i] + place[i];
    }
    return embeddingNorm.apply(sum);
  }

  /// Every token attends over all tokens of its own text.
  private float[][] attend(Layer layer, float[][] states, int[] textOf, int[] firstRow) {
    float[][] queries = layer.query.apply(states, team);
    float[][] keys = layer.key.apply(states, team);
    float[][] values = layer.value.apply(states, team);
    float[][] out = new float[states.length][spec.hiddenSize()];
    var memory =
        new Attention.Memory() {
          @Override
          public float[] keys(int row) {
            return keys[row];
          }

          @Override
          public int keyOffset(int row) {
            return 0;
          }

          @Override
          public float[] values(int row) {
            return values[row];
          }

          @Override
          public int valueOffset(int row) {
            return 0;
          }
        };
    team.run(
        states.length,
        1,
        (from, to) -> {
          for (int row = from; row < to; row++) {
            int text = textOf[row];
            for (int head = 0; head < spec.headCount(); head++) {
              int offset = head * spec.headSize();
              attention.attend(
                  queries[row],
                  offset,
                  memory,
                  offset,
                  firstRow[text],
                  firstRow[text + 1],
                  out[row]);
            }
          }
        });
    return out;
  }

  private static float[][] sum(float[][] a, float[][] b) {
    for (int row = 0; row < a.length; row++) {
      for (int i = 0; i < a[row].length; i++) {
        a[row][i] += b[row][i];
      }
    }
    return a;
  }

  private static void gelu(float[][] rows, int from, int to) {
    for (int row = from; row < to; row++) {
      for (int i = 0; i < rows[row].length; i++) {
        rows[row][i] = (float) Activations.gelu(rows[row][i]);
      }
    }
  }

  private float[] pool(float[][] states, int from, int to) {
    int end =
        switch (spec.pooling()) {
          case MEAN -> to;
          case CLS -> from + 1;
        };
    double[] sums = new double[spec.hiddenSize()];
    for (int row = from; row < end; row++) {
      for (int i = 0; i < sums.length; i++) {
        sums[i] += states[row][i];
      }
    }
    double length = 0;
    for (int i = 0; i < sums.length; i++) {
      sums[i] /= end - from;
      length += sums[i] * sums[i];
    }
    double scale = spec.normalize() ? 1 / Math.max(Math.sqrt(length), 1e-12) : 1;
    float[] vector = new float[sums.length];
    for (int i = 0; i < vector.length; i++) {
      vector[i] = (float) (sums[i] * scale);
    }
    return vector;
  }

  @Override
  public void close() {
    // Weights are arrays: they go with this object.
    scratch.close();
  }
}
