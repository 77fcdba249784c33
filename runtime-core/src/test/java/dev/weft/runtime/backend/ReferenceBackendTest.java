package dev.weft.runtime.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.DecoderSpec.Activation;
import dev.weft.runtime.model.DecoderSpec.Rope;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.EncoderSpec.Pooling;
import dev.weft.runtime.weights.ModelFormatException;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The oracle itself, against the formulas written out over doubles, for each way in which models
/// differ.
class ReferenceBackendTest {
  private static final int VOCABULARY = 50;
  private static final Rope ROPE = new Rope(10_000, 8, false, List.of());

  private final ReferenceBackend backend = new ReferenceBackend(2);

  @AfterEach
  void closeBackend() {
    backend.close();
  }

  static Stream<DecoderSpec> decoders() {
    return Stream.of(
        decoder(4, 2, 8, ROPE, Activation.SILU, false, true, 0),
        decoder(4, 4, 8, ROPE, Activation.SILU, false, false, 0),
        decoder(6, 1, 8, ROPE, Activation.GELU_TANH, false, true, 0),
        decoder(4, 2, 8, ROPE, Activation.SILU, true, true, 0),
        decoder(4, 2, 8, ROPE, Activation.SILU, false, true, 5),
        decoder(3, 3, 8, new Rope(500, 8, true, List.of()), Activation.SILU, false, true, 0),
        decoder(
            4,
            2,
            10,
            new Rope(500, 6, false, List.of(1f, 2f, 8f)),
            Activation.SILU,
            false,
            true,
            0));
  }

  @ParameterizedTest
  @MethodSource("decoders")
  void decoderFollowsTheFormulas(DecoderSpec spec) {
    var weights = weights(spec);
    int[] tokens = new SplittableRandom(3).ints(37, 0, VOCABULARY).toArray();
    try (var decoder = backend.compile(spec, weights, options())) {
      float[][] actual = new DecoderDriver(decoder, 4).logits(tokens, 20, 1, 1);
      double[][] expected = new PlainTransformer(weights).logits(spec, tokens);
      for (int row = 0; row < tokens.length; row++) {
        for (int i = 0; i < VOCABULARY; i++) {
          assertThat((double) actual[row][i]).isCloseTo(expected[row][i], within(2e-5));
        }
      }
    }
  }

  @Test
  void theLastTokenChangesNothingBeforeIt() {
    var spec = decoder(4, 2, 8, ROPE, Activation.SILU, false, true, 0);
    try (var decoder = backend.compile(spec, weights(spec), options())) {
      var driver = new DecoderDriver(decoder, 4);
      float[][] one = driver.logits(new int[] {1, 2, 3, 4});
      float[][] other = driver.logits(new int[] {1, 2, 3, 5});
      assertThat(other[2]).isEqualTo(one[2]);
      assertThat(other[3]).isNotEqualTo(one[3]);
    }
  }

  @ParameterizedTest
  @MethodSource("encoders")
  void encoderFollowsTheFormulas(EncoderSpec spec) {
    var weights = weights(spec);
    var texts =
        List.of(
            new int[] {7},
            new SplittableRandom(3).ints(20, 0, VOCABULARY).toArray(),
            new int[] {1, 2, 3});
    try (var encoder = backend.compile(spec, weights, options())) {
      var vectors = encoder.forward(texts);
      for (int i = 0; i < texts.size(); i++) {
        double[] expected = new PlainTransformer(weights).vector(spec, texts.get(i));
        for (int d = 0; d < expected.length; d++) {
          assertThat((double) vectors.get(i)[d]).isCloseTo(expected[d], within(5e-6));
        }
      }
    }
  }

  static Stream<EncoderSpec> encoders() {
    return Stream.of(
        encoder(Pooling.MEAN, true), encoder(Pooling.MEAN, false), encoder(Pooling.CLS, true));
  }

  @Test
  void errorFunctionIsExactToFloat() {
    for (double x = -7; x <= 7; x += 0.37) {
      double expected = 2 * PlainTransformer.normalDistribution(x * Math.sqrt(2)) - 1;
      assertThat(Activations.erf(x)).isCloseTo(expected, within(1e-7));
      assertThat(Activations.erf(-x)).isEqualTo(-Activations.erf(x));
    }
    // Digits from tables of the function.
    assertThat(Activations.erf(1)).isCloseTo(0.8427007929497149, within(1e-15));
    assertThat(Activations.erf(3)).isCloseTo(0.9999779095030014, within(1e-15));
    assertThat(Activations.erf(0)).isZero();
  }

  @Test
  void refusesQuantisationsItDoesNotCompute() {
    var spec = decoder(4, 2, 8, ROPE, Activation.SILU, false, true, 0);
    var options = new CompileOptions(Quantization.W8A8, 64, 4, 64, 4);

    assertThatThrownBy(() -> backend.compile(spec, weights(spec), options))
        .isInstanceOf(UnsupportedModelException.class)
        .hasMessageContaining("float32 only");
    assertThatThrownBy(() -> backend.footprint(spec, weights(spec), options))
        .isInstanceOf(UnsupportedModelException.class);
  }

  @Test
  void saysWhichTensorHasTheWrongShapeOrIsMissing() {
    var spec = decoder(4, 2, 8, ROPE, Activation.SILU, true, true, 0);
    var wrong = weights(spec).matrix("blk.1.attn_k.weight", 5, 5);
    assertThatThrownBy(() -> backend.compile(spec, wrong, options()))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("'blk.1.attn_k.weight' has shape [5, 5]");

    var unbiased = weights(decoder(4, 2, 8, ROPE, Activation.SILU, false, true, 0));
    assertThatThrownBy(() -> backend.compile(spec, unbiased, options()))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("blk.0.attn_q.bias");
  }

  private static CompileOptions options() {
    return new CompileOptions(Quantization.NONE, 64, 4, 64, 4);
  }

  private static DecoderSpec decoder(
      int heads,
      int kvHeads,
      int headSize,
      Rope rope,
      Activation activation,
      boolean bias,
      boolean tied,
      int window) {
    return new DecoderSpec(
        "test",
        VOCABULARY,
        64,
        2,
        24,
        40,
        heads,
        kvHeads,
        headSize,
        1e-5,
        rope,
        activation,
        bias,
        tied,
        window);
  }

  private static EncoderSpec encoder(Pooling pooling, boolean normalize) {
    return new EncoderSpec("test", VOCABULARY, 32, 2, 24, 40, 3, 32, 1e-12, pooling, normalize);
  }

  private static MapWeights weights(DecoderSpec spec) {
    int hidden = spec.hiddenSize();
    int wide = spec.intermediateSize();
    var weights = new MapWeights(5).matrix("token_embd.weight", VOCABULARY, hidden);
    weights.scale("output_norm.weight", hidden);
    if (!spec.tiedOutput()) {
      weights.matrix("output.weight", VOCABULARY, hidden);
    }
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      String name = "blk." + layer + ".";
      weights
          .scale(name + "attn_norm.weight", hidden)
          .matrix(name + "attn_q.weight", spec.queryWidth(), hidden)
          .matrix(name + "attn_k.weight", spec.kvWidth(), hidden)
          .matrix(name + "attn_v.weight", spec.kvWidth(), hidden)
          .matrix(name + "attn_output.weight", hidden, spec.queryWidth())
          .scale(name + "ffn_norm.weight", hidden)
          .matrix(name + "ffn_gate.weight", wide, hidden)
          .matrix(name + "ffn_up.weight", wide, hidden)
          .matrix(name + "ffn_down.weight", hidden, wide);
      if (spec.attentionBias()) {
        weights
            .bias(name + "attn_q.bias", spec.queryWidth())
            .bias(name + "attn_k.bias", spec.kvWidth())
            .bias(name + "attn_v.bias", spec.kvWidth());
      }
    }
    return weights;
  }

  private static MapWeights weights(EncoderSpec spec) {
    int hidden = spec.hiddenSize();
    var weights = new MapWeights(5).matrix("token_embd.weight", VOCABULARY, hidden);
    weights.matrix("position_embd.weight", spec.maxPositions(), hidden);
    weights.matrix("token_types.weight", 2, hidden);
    normalization(weights, "token_embd_norm", hidden);
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      String name = "blk." + layer + ".";
      for (String part : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
        weights.matrix(name + part + ".weight", hidden, hidden);
        weights.bias(name + part + ".bias", hidden);
      }
      normalization(weights, name + "attn_output_norm", hidden);
      weights.matrix(name + "ffn_up.weight", spec.intermediateSize(), hidden);
      weights.bias(name + "ffn_up.bias", spec.intermediateSize());
      weights.matrix(name + "ffn_down.weight", hidden, spec.intermediateSize());
      weights.bias(name + "ffn_down.bias", hidden);
      normalization(weights, name + "layer_output_norm", hidden);
    }
    return weights;
  }

  private static void normalization(MapWeights weights, String name, int width) {
    weights.scale(name + ".weight", width).bias(name + ".bias", width);
  }
}
