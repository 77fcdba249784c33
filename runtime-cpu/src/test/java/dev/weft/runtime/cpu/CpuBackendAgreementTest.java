package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyLlama;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Whole models against the reference backend.
class CpuBackendAgreementTest {
  /// Relative distance of logits, over all rows. Float weights differ by KV in float16 alone; the
  /// others by activations in int8 as well. Random tiny models amplify both; a wrong rotation,
  /// window or scale gives distances near 1.
  private static final double FLOAT_TOLERANCE = 4e-3;

  /// Activations in bfloat16, for prompts of 32 rows and more.
  private static final double BF16_TOLERANCE = 3e-2;

  private static final double INT8_TOLERANCE = 8e-2;
  private static final double KV_INT8_TOLERANCE = 3e-2;

  private static final CpuBackend CPU = CpuDevices.backend();
  private static final ReferenceBackend REFERENCE = new ReferenceBackend(2);

  @TempDir private Path directory;

  @AfterAll
  static void close() {
    CPU.close();
    REFERENCE.close();
  }

  private static CompileOptions options(Quantization quantization) {
    return new CompileOptions(quantization, 512, 200, 512, 8);
  }

  private static int[] tokens(int count, int vocabulary, long seed) {
    return new SplittableRandom(seed).ints(count, 0, vocabulary).toArray();
  }

  private static List<float[]> logits(
      Backend backend, DecoderSpec spec, ModelPackage model, CompileOptions options, int[] tokens) {
    try (DecoderExecutable decoder = backend.compile(spec, model.weights(), options)) {
      int[] blocks = Steps.blocks(decoder, 3, 1, tokens.length);
      return Steps.logits(decoder, tokens, blocks, List.of(tokens.length - 1, 1));
    }
  }

  /// The distance of all logits, relative to their length.
  private static double distance(List<float[]> expected, List<float[]> actual) {
    assertThat(actual).hasSameSizeAs(expected);
    double difference = 0;
    double length = 0;
    for (int row = 0; row < expected.size(); row++) {
      for (int i = 0; i < expected.get(row).length; i++) {
        double error = actual.get(row)[i] - expected.get(row)[i];
        difference += error * error;
        length += (double) expected.get(row)[i] * expected.get(row)[i];
      }
    }
    return Math.sqrt(difference / length);
  }

  private static void assertAgreement(
      Path file, Quantization quantization, int tokens, double tolerance) {
    assertAgreement(file, options(quantization), tokens, tolerance);
  }

  private static void assertAgreement(
      Path file, CompileOptions options, int tokens, double tolerance) {
    try (ModelPackage model = ModelFiles.open(file)) {
      DecoderSpec spec = (DecoderSpec) model.spec();
      int[] ids = tokens(tokens, spec.vocabularySize(), tokens);
      List<float[]> expected = logits(REFERENCE, spec, model, options(Quantization.NONE), ids);
      List<float[]> actual = logits(CPU, spec, model, options, ids);
      assertThat(distance(expected, actual)).isLessThan(tolerance);
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void decoderAgreesInEveryType(DType type) {
    Path file =
        TinyModels.llama(directory, 1)
            .hidden(256)
            .intermediate(512)
            .layers(3)
            .dtype(type)
            .writeGguf();
    double tolerance =
        type == DType.BF16 ? BF16_TOLERANCE : type.quantized() ? INT8_TOLERANCE : FLOAT_TOLERANCE;
    assertAgreement(file, Quantization.NONE, 60, tolerance);
  }

  @Test
  void decoderAgreesInW8a8() {
    Path file =
        TinyModels.llama(directory, 2).hidden(256).intermediate(512).dtype(DType.BF16).writeGguf();
    assertAgreement(file, Quantization.W8A8, 60, INT8_TOLERANCE);
  }

  @Test
  void decoderAgreesWithOutputOfItsOwn() {
    Path file = TinyModels.llama(directory, 3).untied().vocabulary(301).writeGguf();
    assertAgreement(file, Quantization.NONE, 33, FLOAT_TOLERANCE);
  }

  /// Pairs half a head apart instead of neighbours.
  @Test
  void decoderAgreesFromSafetensors() {
    Path model = TinyModels.llama(directory, 4).dtype(DType.BF16).writeSafetensors();
    assertAgreement(model, Quantization.NONE, 40, BF16_TOLERANCE);
  }

  /// Biases on queries, keys and values.
  @Test
  void decoderAgreesForQwen2() {
    TinyLlama model = TinyModels.llama(directory, 8).qwen2();
    assertAgreement(model.writeGguf(), Quantization.NONE, 40, FLOAT_TOLERANCE);
    assertAgreement(model.writeSafetensors(), Quantization.NONE, 40, FLOAT_TOLERANCE);
  }

  /// Past one split of keys, with one query head a KV head, and with many.
  @Test
  void decoderAgreesOverLongContexts() {
    Path one = TinyModels.llama(directory, 5).heads(4, 4).context(512).writeGguf();
    assertAgreement(one, Quantization.NONE, 500, FLOAT_TOLERANCE);
    Path many = TinyModels.llama(directory, 6).hidden(96).heads(12, 1).context(512).writeGguf();
    assertAgreement(many, Quantization.NONE, 400, FLOAT_TOLERANCE);
  }

  /// Heads that do not fill vectors, long contexts, and many query heads a KV head.
  @Test
  void decoderAgreesWithKvInInt8() {
    var options = new CompileOptions(Quantization.NONE, KvType.INT8, 512, 200, 512, 8);
    Path odd = TinyModels.llama(directory, 8).hidden(80).heads(4, 2).context(512).writeGguf();
    assertAgreement(odd, options, 300, KV_INT8_TOLERANCE);
    Path many = TinyModels.llama(directory, 9).hidden(96).heads(12, 1).context(512).writeGguf();
    assertAgreement(many, options, 500, KV_INT8_TOLERANCE);
  }

  /// What a spec can say and few files do: windows, partial and scaled rotations, another gate.
  @ParameterizedTest
  @EnumSource(SpecVariant.class)
  void decoderAgreesForSpecVariants(SpecVariant variant) {
    Path file = TinyModels.llama(directory, 7).context(512).writeGguf();
    try (ModelPackage model = ModelFiles.open(file)) {
      DecoderSpec spec = variant.of((DecoderSpec) model.spec());
      int[] ids = tokens(310, spec.vocabularySize(), 8);
      CompileOptions options = options(Quantization.NONE);
      List<float[]> expected = logits(REFERENCE, spec, model, options, ids);
      assertThat(distance(expected, logits(CPU, spec, model, options, ids)))
          .isLessThan(FLOAT_TOLERANCE);
    }
  }

  enum SpecVariant {
    SLIDING_WINDOW,
    WIDE_SLIDING_WINDOW,
    GELU,
    PARTIAL_ROPE,
    SCALED_ROPE;

    DecoderSpec of(DecoderSpec spec) {
      var partial = new DecoderSpec.Rope(500, 8, false, List.of());
      var scaled = new DecoderSpec.Rope(10_000, 8, true, List.of(1f, 1.5f, 4f, 8f));
      return switch (this) {
        case SLIDING_WINDOW -> with(spec, spec.rope(), spec.activation(), 20);
        case WIDE_SLIDING_WINDOW -> with(spec, spec.rope(), spec.activation(), 270);
        case GELU -> with(spec, spec.rope(), DecoderSpec.Activation.GELU_TANH, 0);
        case PARTIAL_ROPE -> with(spec, partial, spec.activation(), 0);
        case SCALED_ROPE -> with(spec, scaled, spec.activation(), 0);
      };
    }

    private static DecoderSpec with(
        DecoderSpec spec, DecoderSpec.Rope rope, DecoderSpec.Activation activation, int window) {
      return new DecoderSpec(
          spec.family(),
          spec.vocabularySize(),
          spec.contextLength(),
          spec.layerCount(),
          spec.hiddenSize(),
          spec.intermediateSize(),
          spec.headCount(),
          spec.kvHeadCount(),
          spec.headSize(),
          spec.normEpsilon(),
          rope,
          activation,
          spec.attentionBias(),
          spec.tiedOutput(),
          window);
    }
  }

  @Test
  void encoderAgrees() {
    Path model =
        TinyModels.bert(directory, 9).hidden(96).heads(4).positions(700).writeSafetensors();
    try (ModelPackage opened = ModelFiles.open(model)) {
      EncoderSpec spec = (EncoderSpec) opened.spec();
      List<int[]> texts =
          List.of(
              tokens(1, spec.vocabularySize(), 1),
              tokens(17, spec.vocabularySize(), 2),
              tokens(350, spec.vocabularySize(), 3),
              tokens(64, spec.vocabularySize(), 4));
      try (EncoderExecutable cpu = CPU.compile(spec, opened.weights(), options(Quantization.NONE));
          EncoderExecutable reference =
              REFERENCE.compile(spec, opened.weights(), options(Quantization.NONE))) {
        List<float[]> expected = reference.forward(texts);
        List<float[]> actual = cpu.forward(texts);
        for (int i = 0; i < texts.size(); i++) {
          assertThat(cosine(expected.get(i), actual.get(i))).isGreaterThan(0.999999);
        }
        // Alone, a text gives the same bits.
        for (int i = 0; i < texts.size(); i++) {
          assertThat(cpu.forward(List.of(texts.get(i))).getFirst()).isEqualTo(actual.get(i));
        }
      }
    }
  }

  private static double cosine(float[] a, float[] b) {
    double product = 0;
    double lengthA = 0;
    double lengthB = 0;
    for (int i = 0; i < a.length; i++) {
      product += (double) a[i] * b[i];
      lengthA += (double) a[i] * a[i];
      lengthB += (double) b[i] * b[i];
    }
    return product / Math.sqrt(lengthA * lengthB);
  }
}
