package dev.weft.bench.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.bench.DecoderRun;
import dev.weft.bench.DecoderRun.Bounds;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.tokenizer.Tokenizer;
import dev.weft.runtime.tokenizer.Tokenizers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Models that are written here open, and are the same model in every format.
class ModelWriterTest {
  private static final int[] TOKENS = {5, 77, 12, 270, 8, 1, 200, 41};

  @TempDir Path directory;

  private static ModelShape shape(boolean qwen2) {
    return new ModelShape("tiny", qwen2, 320, 128, 2, 256, 512, 8, 2, 32, 1e-5, 1e4);
  }

  private BenchModels models() {
    return BenchModels.random(directory, TinyModels.llama(directory, 1).writeGguf());
  }

  /// The distance of what a file computes from what the float32 file does, relative to its size.
  private static double distance(Path exact, Path other) {
    List<Float> expected = logits(exact);
    List<Float> actual = logits(other);
    double difference = 0;
    double size = 0;
    for (int i = 0; i < expected.size(); i++) {
      difference += Math.pow(actual.get(i) - expected.get(i), 2);
      size += Math.pow(expected.get(i), 2);
    }
    assertThat(size).isFinite().isGreaterThan(1);
    return Math.sqrt(difference / size);
  }

  private static List<Float> logits(Path path) {
    List<Float> all = new ArrayList<>();
    try (ModelPackage model = ModelFiles.open(path);
        ReferenceBackend backend = new ReferenceBackend(1);
        DecoderRun run = new DecoderRun(backend, model, Quantization.NONE, new Bounds(16, 16))) {
      run.score(
          TOKENS,
          (_, logits) -> {
            for (float logit : logits) {
              all.add(logit);
            }
          });
    }
    return all;
  }

  /// A format that lost the order of rows, a scale or a bias would be off by about its size.
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void everyFormatIsTheSameModel(boolean qwen2) {
    BenchModels models = models();
    ModelShape shape = shape(qwen2);
    Path exact = models.gguf(shape, GgufFormat.F32);
    assertThat(distance(exact, models.safetensors(shape, DType.F32))).isLessThan(1e-5);
    assertThat(distance(exact, models.safetensors(shape, DType.BF16))).isLessThan(0.03);
    assertThat(distance(exact, models.gguf(shape, GgufFormat.F16))).isLessThan(0.005);
    assertThat(distance(exact, models.gguf(shape, GgufFormat.Q8_0))).isLessThan(0.05);
    assertThat(distance(exact, models.gguf(shape, GgufFormat.Q4_0))).isLessThan(0.5);
    assertThat(distance(exact, models.gguf(shape, GgufFormat.Q4_K_M))).isLessThan(0.4);
    for (GgufFormat format : List.of(GgufFormat.Q4_0, GgufFormat.Q4_K_M)) {
      Path file = models.gguf(shape, format);
      assertThat(distance(file, models.dequantized(shape, file))).isLessThan(1e-5);
    }
  }

  @Test
  void theSameSeedGivesTheSameBytes() throws IOException {
    byte[] one = Files.readAllBytes(models().gguf(shape(false), GgufFormat.Q8_0));
    Files.delete(directory.resolve("tiny-random.q8_0.gguf"));
    assertThat(Files.readAllBytes(models().gguf(shape(false), GgufFormat.Q8_0))).isEqualTo(one);
  }

  /// Every token has a text of its own, in both formats.
  @Test
  void everyTokenOfAPaddedVocabularyHasAText() {
    BenchModels models = models();
    for (Path path :
        List.of(
            models.gguf(shape(false), GgufFormat.Q8_0),
            models.safetensors(shape(false), DType.BF16))) {
      try (ModelPackage model = ModelFiles.open(path);
          Tokenizer tokenizer = Tokenizers.open(model.tokenizer())) {
        assertThat(tokenizer.encode("tell me", false, false)).isNotEmpty();
        assertThat(tokenizer.decode(new int[] {319}, false)).contains("word319");
      }
    }
  }

  /// A vocabulary that is cut has no merges to what is gone, and an output of its own is found.
  @Test
  void aSmallerVocabularyAndAnOutputOfItsOwn() {
    var shape = new ModelShape("tiny", false, 280, 128, 2, 256, 512, 8, 2, 32, 1e-5, 1e4, false);
    Path path = models().safetensors(shape, DType.BF16);
    try (ModelPackage model = ModelFiles.open(path);
        Tokenizer tokenizer = Tokenizers.open(model.tokenizer())) {
      assertThat(tokenizer.encode("tell me", false, false)).isNotEmpty();
      assertThat(tokenizer.vocabularySize()).isEqualTo(280);
      assertThat(model.weights().tensor("output.weight").shape()).isEqualTo(Shape.of(280, 256));
    }
    assertThat(logits(path)).hasSize(TOKENS.length * 280).doesNotContain(Float.NaN);
  }

  /// Where llama.cpp's quantiser has Q6_K in a Q4_K_M file of 16 layers.
  @Test
  void aMixHasMoreBitsWhereErrorsShowMost() {
    String more = "6644644644644666";
    assertThat(mix(ModelShape.LLAMA_1B, "attn_v")).isEqualTo(more);
    assertThat(mix(ModelShape.LLAMA_1B, "ffn_down")).isEqualTo(more);
    assertThat(mix(ModelShape.LLAMA_1B, "attn_q")).isEqualTo("4".repeat(16));
    assertThat(mix(ModelShape.LLAMA_1B, "token_embd")).isEqualTo("6");
  }

  /// Rows of 576 are not whole blocks of 256; those of 1,536 are.
  @Test
  void aMixFallsBackWhereBlocksDoNotFillRows() {
    assertThat(mix(ModelShape.SMOLLM2_135M, "token_embd")).isEqualTo("8");
    assertThat(mix(ModelShape.SMOLLM2_135M, "attn_v")).isEqualTo("888558558558558558558558558888");
    assertThat(mix(ModelShape.SMOLLM2_135M, "ffn_down"))
        .isEqualTo("666446446446446446446446446666");
  }

  /// The bits of a weight of each tensor of one name, in the order of layers.
  private static String mix(ModelShape shape, String name) {
    return shape.tensors().stream()
        .filter(tensor -> tensor.name().contains(name + "."))
        .map(tensor -> GgufFormat.Q4_K_M.type(shape, tensor).name().substring(1, 2))
        .collect(Collectors.joining());
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q5_0", "Q4_K", "Q6_K"})
  void blocksHoldTheValues(DType type) {
    float[] values = new float[512];
    SplittableRandom random = new SplittableRandom(3);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-1, 1) * (i < 256 ? 1 : 100);
    }
    values[300] = 0;
    ByteBuffer bytes = ByteBuffer.allocate((int) type.byteSize(512)).order(ByteOrder.LITTLE_ENDIAN);
    BlockEncoder.encode(type, values, values.length, bytes);
    assertThat(bytes.hasRemaining()).isFalse();
    float[] read =
        Dequantizer.all(
            new Tensor("t", type, Shape.of(1, 512), MemorySegment.ofArray(bytes.array())));
    double relative =
        switch (type) {
          case F32 -> 0;
          case F16 -> 1e-3;
          case BF16, Q8_0 -> 5e-3;
          case Q6_K -> 0.035;
          case Q5_0 -> 0.07;
          default -> 0.13;
        };
    for (int i = 0; i < values.length; i++) {
      assertThat(read[i]).isCloseTo(values[i], within((float) (relative * (i < 256 ? 1 : 100))));
    }
  }

  @Test
  void zerosStayZeros() {
    for (DType type : List.of(DType.Q8_0, DType.Q4_0, DType.Q5_0, DType.Q4_K, DType.Q6_K)) {
      ByteBuffer bytes =
          ByteBuffer.allocate((int) type.byteSize(256)).order(ByteOrder.LITTLE_ENDIAN);
      BlockEncoder.encode(type, new float[256], 256, bytes);
      Tensor tensor = new Tensor("t", type, Shape.of(1, 256), MemorySegment.ofArray(bytes.array()));
      for (float value : Dequantizer.all(tensor)) {
        assertThat(value).isZero(); // of either sign
      }
    }
  }
}
