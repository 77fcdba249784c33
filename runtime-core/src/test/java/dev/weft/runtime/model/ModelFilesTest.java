package dev.weft.runtime.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.source.TestModels;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tokenizer.TokenizerSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Well-formed models of every layout open as what they are.
class ModelFilesTest {
  @TempDir Path directory;

  @Test
  void opensLlamaFromGguf() {
    Path file =
        TinyModels.llama(directory, 1)
            .hidden(64)
            .layers(3)
            .heads(4, 2)
            .intermediate(96)
            .context(512)
            .dtype(DType.Q4_1)
            .writeGguf();
    try (ModelPackage model = ModelFiles.open(file)) {
      assertThat(model.spec())
          .isEqualTo(
              new DecoderSpec(
                  "llama",
                  300,
                  512,
                  3,
                  64,
                  96,
                  4,
                  2,
                  16,
                  (double) 1e-5f,
                  new DecoderSpec.Rope(10_000, 16, true, List.of()),
                  DecoderSpec.Activation.SILU,
                  false,
                  true,
                  0));
      assertThat(model.weights().tensor("blk.2.attn_k.weight").dtype()).isEqualTo(DType.Q4_1);
      assertThat(model.weights().tensor("blk.2.attn_k.weight").shape()).isEqualTo(Shape.of(32, 64));
      assertThat(model.chatTemplate()).hasValue(TinyTokenizers.CHAT_TEMPLATE);
      TokenizerSource.Gguf tokenizer = (TokenizerSource.Gguf) model.tokenizer();
      assertThat(tokenizer.model()).isEqualTo("gpt2");
      assertThat(tokenizer.pre()).isEqualTo("smollm");
      assertThat(tokenizer.tokens()).hasSize(300).startsWith("<|endoftext|>", "<|im_start|>");
      assertThat(tokenizer.types()).startsWith(3, 3, 3, 1);
      assertThat(tokenizer.merges()).hasSize(300 - 259).startsWith("\u0120 \u0120", "\u0120 e");
      assertThat(tokenizer.eosToken()).isEqualTo(2);
      assertThat(tokenizer.addBos()).isFalse();
      assertThat(tokenizer.addSpacePrefix()).isFalse();
    }
  }

  @Test
  void opensLlamaFromSafetensors() {
    TinyModels.llama(directory, 1).layers(3).untied().writeSafetensors();
    try (ModelPackage model = ModelFiles.open(directory)) {
      DecoderSpec spec = (DecoderSpec) model.spec();
      assertThat(spec.layerCount()).isEqualTo(3);
      assertThat(spec.rope().interleaved()).isFalse();
      assertThat(spec.tiedOutput()).isFalse();
      assertThat(spec.normEpsilon()).isEqualTo(1e-5);
      assertThat(model.weights().tensor("output.weight").shape()).isEqualTo(Shape.of(300, 64));
      assertThat(model.weights().names()).hasSize(3 + 3 * 9);
      assertThat(model.chatTemplate()).hasValue(TinyTokenizers.CHAT_TEMPLATE);
      TokenizerSource.Json tokenizer = (TokenizerSource.Json) model.tokenizer();
      assertThat(tokenizer.tokenizerJson()).exists();
      assertThat(tokenizer.tokenizerConfig()).isPresent();
      assertThat(tokenizer.generationConfig()).isPresent();
    }
  }

  @Test
  void bothFormatsOfOneModelDifferOnlyInTheOrderOfQueriesAndKeys() throws IOException {
    TinyLlama llama = TinyModels.llama(directory, 5).dtype(DType.BF16);
    Path ggufs = Files.createDirectory(directory.resolve("gguf"));
    Path gguf = TinyModels.llama(ggufs, 5).dtype(DType.BF16).writeGguf();
    llama.writeSafetensors();
    try (ModelPackage one = ModelFiles.open(directory);
        ModelPackage other = ModelFiles.open(gguf)) {
      assertThat(one.weights().names())
          .containsExactlyInAnyOrderElementsOf(other.weights().names());
      for (String name : one.weights().names()) {
        float[] half = Dequantizer.all(one.weights().tensor(name));
        float[] interleaved = Dequantizer.all(other.weights().tensor(name));
        if (name.contains("attn_q.") || name.contains("attn_k.")) {
          // A head of 16: element 1 of the one is element 8 of the other.
          assertThat(row(interleaved, 1)).as(name).isEqualTo(row(half, 8));
          assertThat(row(interleaved, 16 + 2)).as(name).isEqualTo(row(half, 16 + 1));
        } else {
          assertThat(interleaved).as(name).isEqualTo(half);
        }
      }
    }
  }

  private static float[] row(float[] matrix, int row) {
    return Arrays.copyOfRange(matrix, row * 64, (row + 1) * 64);
  }

  /// The other side of what `Malformed` asserts: a mapping shows while it is there.
  @Test
  void closingUnmapsEveryFile() throws IOException {
    TinyModels.llama(directory, 3).writeShards();
    Path maps = Path.of("/proc/self/maps");
    ModelPackage model = ModelFiles.open(directory);
    assertThat(Files.readString(maps))
        .contains(directory.resolve("model-00001-of-00002.safetensors").toString())
        .contains(directory.resolve("model-00002-of-00002.safetensors").toString());
    model.close();
    model.close();
    assertThat(Files.readString(maps)).doesNotContain(directory.toString());
  }

  @Test
  void opensShardsAsOneModel() throws IOException {
    Path single = Files.createDirectory(directory.resolve("single"));
    TinyModels.llama(single, 3).writeSafetensors();
    Path shards = Files.createDirectory(directory.resolve("shards"));
    TinyModels.llama(shards, 3).writeShards();
    try (ModelPackage one = ModelFiles.open(single);
        ModelPackage other = ModelFiles.open(shards)) {
      assertThat(other.spec()).isEqualTo(one.spec());
      assertThat(other.weights().byteSize()).isEqualTo(one.weights().byteSize());
      assertThat(other.weights().names()).hasSameElementsAs(one.weights().names());
      for (String name : one.weights().names()) {
        assertThat(other.weights().tensor(name).data().mismatch(one.weights().tensor(name).data()))
            .as(name)
            .isEqualTo(-1);
      }
    }
  }

  @Test
  void readsRealSmolLm2() {
    try (ModelPackage model = ModelFiles.open(TestModels.smolLm2())) {
      DecoderSpec spec = (DecoderSpec) model.spec();
      assertThat(spec.layerCount()).isEqualTo(30);
      assertThat(spec.hiddenSize()).isEqualTo(576);
      assertThat(spec.headCount()).isEqualTo(9);
      assertThat(spec.kvHeadCount()).isEqualTo(3);
      assertThat(spec.rope()).isEqualTo(new DecoderSpec.Rope(100_000, 64, true, List.of()));
      assertThat(spec.tiedOutput()).isTrue();
      assertThat(model.weights().names()).hasSize(272);
      assertThat(model.weights().tensor("token_embd.weight").dtype()).isEqualTo(DType.Q8_0);
      TokenizerSource.Gguf tokenizer = (TokenizerSource.Gguf) model.tokenizer();
      assertThat(tokenizer.tokens()).hasSize(49_152);
      assertThat(tokenizer.pre()).isEqualTo("smollm");
      // As the gguf package dequantises them.
      float[] row = new float[1536];
      Dequantizer.row(model.weights().tensor("blk.0.ffn_down.weight"), 5, row);
      assertThat(row[0]).isEqualTo(-0.19857788f);
      assertThat(row[1]).isEqualTo(-0.12722778f);
      assertThat(row[100]).isEqualTo(-0.15640259f);
    }
  }

  @Test
  void readsRealMiniLm() {
    try (ModelPackage model = ModelFiles.open(TestModels.miniLm())) {
      EncoderSpec spec = (EncoderSpec) model.spec();
      assertThat(spec.layerCount()).isEqualTo(6);
      assertThat(spec.contextLength()).isEqualTo(256);
      assertThat(spec.maxPositions()).isEqualTo(512);
      assertThat(spec.pooling()).isEqualTo(EncoderSpec.Pooling.MEAN);
      assertThat(spec.normalize()).isTrue();
    }
  }

  @Test
  void opensTheOnlyGgufOfADirectory() {
    TinyModels.llama(directory, 1).writeGguf();
    try (ModelPackage model = ModelFiles.open(directory)) {
      assertThat(model.spec().family()).isEqualTo("llama");
    }
  }

  @Test
  void opensBertFromGguf() {
    Path file = TinyModels.bert(directory, 1).writeGguf();
    try (ModelPackage model = ModelFiles.open(file)) {
      assertThat(model.spec()).isEqualTo(bert(64, (double) 1e-12f));
      TokenizerSource.Gguf tokenizer = (TokenizerSource.Gguf) model.tokenizer();
      assertThat(tokenizer.model()).isEqualTo("bert");
      assertThat(tokenizer.bosToken()).isEqualTo(2);
      assertThat(tokenizer.separatorToken()).isEqualTo(3);
      assertThat(tokenizer.addBos()).isTrue();
    }
  }

  @Test
  void opensBertOfSentenceTransformersUnderAnyPrefix() throws IOException {
    for (String prefix : List.of("", "bert.", "0.auto_model.")) {
      Path model = Files.createTempDirectory(directory, "bert");
      TinyModels.bert(model, 1).prefix(prefix).writeSafetensors();
      try (ModelPackage opened = ModelFiles.open(model)) {
        // sentence_bert_config.json says 32 tokens.
        assertThat(opened.spec()).as(prefix).isEqualTo(bert(32, 1e-12));
        assertThat(opened.weights().names()).as(prefix).hasSize(5 + 2 * 16);
      }
    }
  }

  private static EncoderSpec bert(int context, double epsilon) {
    return new EncoderSpec(
        "bert",
        TinyTokenizers.wordPieces().size(),
        context,
        2,
        32,
        64,
        4,
        64,
        epsilon,
        EncoderSpec.Pooling.MEAN,
        true);
  }

  @Test
  void poolsPlainBertByMeanWithoutNormalizing() throws IOException {
    TinyModels.bert(directory, 1).writeSafetensors();
    Files.delete(directory.resolve("modules.json"));
    Files.delete(directory.resolve("sentence_bert_config.json"));
    try (ModelPackage model = ModelFiles.open(directory)) {
      EncoderSpec spec = (EncoderSpec) model.spec();
      assertThat(spec.pooling()).isEqualTo(EncoderSpec.Pooling.MEAN);
      assertThat(spec.normalize()).isFalse();
      assertThat(spec.contextLength()).isEqualTo(64);
    }
  }

  @Test
  void readsClsPoolingInOldAndNewSpelling() throws IOException {
    TinyModels.bert(directory, 1).writeSafetensors();
    for (String config :
        List.of("{\"pooling_mode_cls_token\": true}", "{\"pooling_mode\": \"cls\"}")) {
      Files.writeString(directory.resolve("1_Pooling/config.json"), config);
      try (ModelPackage model = ModelFiles.open(directory)) {
        assertThat(((EncoderSpec) model.spec()).pooling()).isEqualTo(EncoderSpec.Pooling.CLS);
      }
    }
  }
}
