package dev.weft.runtime.backend;

import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.DecoderSpec.Activation;
import dev.weft.runtime.model.EncoderSpec;

/// Decoder and encoder from their formulas: doubles, no cache, no batch, every position anew. What
/// the reference itself is held to.
final class PlainTransformer {
  private final MapWeights weights;

  PlainTransformer(MapWeights weights) {
    this.weights = weights;
  }

  /// Logits after each token; `[tokens][vocabulary]`.
  double[][] logits(DecoderSpec spec, int[] tokens) {
    int count = tokens.length;
    double[][] x = new double[count][];
    for (int i = 0; i < count; i++) {
      x[i] = row("token_embd.weight", tokens[i], spec.hiddenSize());
    }
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      String name = "blk." + layer + ".";
      double[][] q = new double[count][];
      double[][] k = new double[count][];
      double[][] v = new double[count][];
      for (int i = 0; i < count; i++) {
        double[] h = rms(x[i], name + "attn_norm.weight", spec.normEpsilon());
        q[i] = turned(spec, linear(name + "attn_q", h, spec.queryWidth()), i);
        k[i] = turned(spec, linear(name + "attn_k", h, spec.kvWidth()), i);
        v[i] = linear(name + "attn_v", h, spec.kvWidth());
      }
      for (int i = 0; i < count; i++) {
        int from = spec.slidingWindow() == 0 ? 0 : Math.max(0, i + 1 - spec.slidingWindow());
        double[] a = new double[spec.queryWidth()];
        for (int head = 0; head < spec.headCount(); head++) {
          int kvHead = head / (spec.headCount() / spec.kvHeadCount());
          attend(q[i], head, k, v, kvHead, spec.headSize(), from, i + 1, a);
        }
        x[i] = sum(x[i], linear(name + "attn_output", a, spec.hiddenSize()));
        double[] h = rms(x[i], name + "ffn_norm.weight", spec.normEpsilon());
        double[] gate = linear(name + "ffn_gate", h, spec.intermediateSize());
        double[] up = linear(name + "ffn_up", h, spec.intermediateSize());
        for (int j = 0; j < gate.length; j++) {
          gate[j] =
              up[j]
                  * (spec.activation() == Activation.SILU
                      ? gate[j] / (1 + Math.exp(-gate[j]))
                      : gate[j]
                          / 2
                          * (1
                              + Math.tanh(
                                  Math.sqrt(2 / Math.PI)
                                      * (gate[j] + 0.044715 * Math.pow(gate[j], 3)))));
        }
        x[i] = sum(x[i], linear(name + "ffn_down", gate, spec.hiddenSize()));
      }
    }
    double[][] logits = new double[count][];
    for (int i = 0; i < count; i++) {
      double[] h = rms(x[i], "output_norm.weight", spec.normEpsilon());
      String output = spec.tiedOutput() ? "token_embd" : "output";
      logits[i] = linear(output, h, spec.vocabularySize());
    }
    return logits;
  }

  /// The pooled vector of a text.
  double[] vector(EncoderSpec spec, int[] tokens) {
    int hidden = spec.hiddenSize();
    double[][] x = new double[tokens.length][];
    for (int i = 0; i < tokens.length; i++) {
      double[] token = row("token_embd.weight", tokens[i], hidden);
      double[] position = row("position_embd.weight", i, hidden);
      double[] embedded = sum(sum(token, position), row("token_types.weight", 0, hidden));
      x[i] = layerNorm(embedded, "token_embd_norm", spec.normEpsilon());
    }
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      String name = "blk." + layer + ".";
      double[][] q = new double[tokens.length][];
      double[][] k = new double[tokens.length][];
      double[][] v = new double[tokens.length][];
      for (int i = 0; i < tokens.length; i++) {
        q[i] = linear(name + "attn_q", x[i], hidden);
        k[i] = linear(name + "attn_k", x[i], hidden);
        v[i] = linear(name + "attn_v", x[i], hidden);
      }
      for (int i = 0; i < tokens.length; i++) {
        double[] a = new double[hidden];
        for (int head = 0; head < spec.headCount(); head++) {
          attend(q[i], head, k, v, head, spec.headSize(), 0, tokens.length, a);
        }
        double[] attended = sum(x[i], linear(name + "attn_output", a, hidden));
        double[] h = layerNorm(attended, name + "attn_output_norm", spec.normEpsilon());
        double[] wide = linear(name + "ffn_up", h, spec.intermediateSize());
        for (int j = 0; j < wide.length; j++) {
          wide[j] *= normalDistribution(wide[j]);
        }
        double[] out = sum(h, linear(name + "ffn_down", wide, hidden));
        x[i] = layerNorm(out, name + "layer_output_norm", spec.normEpsilon());
      }
    }
    double[] pooled = new double[hidden];
    int pooledRows = spec.pooling() == EncoderSpec.Pooling.MEAN ? x.length : 1;
    for (int i = 0; i < pooledRows; i++) {
      pooled = sum(pooled, x[i]);
    }
    double squares = 0;
    for (int i = 0; i < hidden; i++) {
      pooled[i] /= pooledRows;
      squares += pooled[i] * pooled[i];
    }
    for (int i = 0; i < hidden && spec.normalize(); i++) {
      pooled[i] /= Math.sqrt(squares);
    }
    return pooled;
  }

  /// By the trapezoid rule on the density, from far left.
  static double normalDistribution(double x) {
    int steps = 20_000;
    double from = -12;
    if (x <= from) {
      return 0;
    }
    double width = (x - from) / steps;
    double sum = (density(from) + density(x)) / 2;
    for (int i = 1; i < steps; i++) {
      sum += density(from + i * width);
    }
    return sum * width;
  }

  private static double density(double x) {
    return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  }

  private static void attend(
      double[] query,
      int head,
      double[][] keys,
      double[][] values,
      int kvHead,
      int size,
      int from,
      int to,
      double[] out) {
    double[] scores = new double[to];
    double total = 0;
    for (int j = from; j < to; j++) {
      double dot = 0;
      for (int d = 0; d < size; d++) {
        dot += query[head * size + d] * keys[j][kvHead * size + d];
      }
      scores[j] = Math.exp(dot / Math.sqrt(size));
      total += scores[j];
    }
    for (int j = from; j < to; j++) {
      for (int d = 0; d < size; d++) {
        out[head * size + d] += scores[j] / total * values[j][kvHead * size + d];
      }
    }
  }

  /// Complex multiplication by `e^(i angle)`.
  private static double[] turned(DecoderSpec spec, double[] heads, int position) {
    var rope = spec.rope();
    double[] out = heads.clone();
    for (int head = 0; head < heads.length; head += spec.headSize()) {
      for (int pair = 0; pair < rope.dimensions() / 2; pair++) {
        double factor = rope.frequencyFactors().isEmpty() ? 1 : rope.frequencyFactors().get(pair);
        double angle = position * Math.pow(rope.theta(), -2.0 * pair / rope.dimensions()) / factor;
        int a = head + (rope.interleaved() ? 2 * pair : pair);
        int b = head + (rope.interleaved() ? 2 * pair + 1 : pair + rope.dimensions() / 2);
        out[a] = heads[a] * Math.cos(angle) - heads[b] * Math.sin(angle);
        out[b] = heads[a] * Math.sin(angle) + heads[b] * Math.cos(angle);
      }
    }
    return out;
  }

  private double[] row(String name, int index, int width) {
    double[] row = new double[width];
    for (int i = 0; i < width; i++) {
      row[i] = weights.values(name)[index * width + i];
    }
    return row;
  }

  private double[] linear(String name, double[] x, int outputs) {
    float[] w = weights.values(name + ".weight");
    double[] out = new double[outputs];
    for (int o = 0; o < outputs; o++) {
      out[o] = weights.has(name + ".bias") ? weights.values(name + ".bias")[o] : 0;
      for (int i = 0; i < x.length; i++) {
        out[o] += w[o * x.length + i] * x[i];
      }
    }
    return out;
  }

  private double[] rms(double[] x, String name, double epsilon) {
    double squares = 0;
    for (double value : x) {
      squares += value * value;
    }
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = x[i] / Math.sqrt(squares / x.length + epsilon) * weights.values(name)[i];
    }
    return out;
  }

  private double[] layerNorm(double[] x, String name, double epsilon) {
    double mean = 0;
    for (double value : x) {
      mean += value / x.length;
    }
    double variance = 0;
    for (double value : x) {
      variance += (value - mean) * (value - mean) / x.length;
    }
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] =
          (x[i] - mean) / Math.sqrt(variance + epsilon) * weights.values(name + ".weight")[i]
              + weights.values(name + ".bias")[i];
    }
    return out;
  }

  private static double[] sum(double[] a, double[] b) {
    double[] out = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      out[i] = a[i] + b[i];
    }
    return out;
  }
}
