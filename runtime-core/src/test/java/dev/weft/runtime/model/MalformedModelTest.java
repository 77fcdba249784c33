package dev.weft.runtime.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.GgufWriter;
import dev.weft.runtime.weights.Malformed;
import dev.weft.runtime.weights.SafetensorsWriter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Models whose files are well formed and do not make sense, one way each.
class MalformedModelTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  @TempDir Path directory;

  @ParameterizedTest
  @MethodSource
  void ggufIsRefused(Consumer<GgufWriter> change, List<String> words) throws IOException {
    Path file = TinyModels.llama(directory, 1).writeGguf(change);
    assertRefused(file, words);
  }

  static List<Arguments> ggufIsRefused() {
    return List.of(
        gguf("no architecture", g -> g.remove("general.architecture"), "'general.architecture'"),
        gguf(
            "unknown architecture",
            g -> g.put("general.architecture", "mamba"),
            "'mamba' is not known; known are llama, qwen2, bert"),
        gguf("no layers", g -> g.remove("llama.block_count"), "'llama.block_count' is missing"),
        gguf("0 layers", g -> g.put("llama.block_count", 0), "is 0; it must be 1 to 1024"),
        gguf("2^31 layers", g -> g.put("llama.block_count", 1 << 31), "is 2147483648"),
        gguf("layers as text", g -> g.put("llama.block_count", "2"), "must be an integer"),
        gguf("too few layers", g -> g.put("llama.block_count", 1), "'blk.1", "has no place"),
        gguf("too many layers", g -> g.put("llama.block_count", 3), "'blk.2.attn_norm.weight'"),
        gguf(
            "too many heads",
            g -> g.put("llama.attention.head_count", 3),
            "3 heads are not a multiple of 2 KV heads"),
        gguf(
            "heads that do not divide",
            g -> g.put("llama.attention.head_count", 6),
            "hidden size 64 is not a multiple of 6 heads"),
        gguf(
            "keys and values of two sizes",
            g -> g.put("llama.attention.key_length", 16).put("llama.attention.value_length", 8),
            "keys of 16 and values of 8"),
        gguf(
            "other width",
            g -> g.put("llama.embedding_length", 128).put("llama.attention.key_length", 16),
            "'token_embd.weight' has shape [300, 64]; the configuration says [300, 128]"),
        gguf("odd rope", g -> g.put("llama.rope.dimension_count", 15), "15 of a head's 16"),
        gguf("wide rope", g -> g.put("llama.rope.dimension_count", 18), "18 of a head's 16"),
        gguf(
            "no epsilon",
            g -> g.remove("llama.attention.layer_norm_rms_epsilon"),
            "layer_norm_rms_epsilon' is missing"),
        gguf(
            "epsilon that is no number",
            g -> g.put("llama.attention.layer_norm_rms_epsilon", Float.NaN),
            "is NaN; it must be above 0"),
        gguf("theta 0", g -> g.put("llama.rope.freq_base", 0f), "freq_base' is 0.0"),
        gguf(
            "unknown rope scaling",
            g -> g.put("llama.rope.scaling.type", "yarn"),
            "rope scaling 'yarn' is not supported"),
        gguf(
            "linear without factor",
            g -> g.put("llama.rope.scaling.type", "linear"),
            "rope.scaling.factor' is missing"),
        gguf("experts", g -> g.put("llama.expert_count", 8), "mixture of experts"),
        gguf("missing tensor", g -> g.remove("blk.1.ffn_up.weight"), "'blk.1.ffn_up.weight'"),
        gguf(
            "tensor that would be left out",
            g -> g.tensor(floats("blk.0.attn_q_norm.weight", 16)),
            "'blk.0.attn_q_norm.weight' has no place"),
        gguf(
            "misshapen tensor",
            g -> g.tensor(floats("blk.0.attn_norm.weight", 63)),
            "'blk.0.attn_norm.weight' has shape [63]; the configuration says [64]"),
        gguf(
            "rope factors too few",
            g -> g.tensor(floats("rope_freqs.weight", 7)),
            "'rope_freqs.weight' has shape [7]; 8 factors are needed"),
        gguf(
            "rope factors of 0",
            g -> g.tensor(floats("rope_freqs.weight", 8)),
            "'rope_freqs.weight' holds the factor 0.0"),
        gguf("no tokenizer", g -> g.remove("tokenizer.ggml.model"), "ggml.model' is missing"),
        gguf(
            "unknown tokenizer",
            g -> g.put("tokenizer.ggml.model", "t5"),
            "tokenizer 't5' is not supported; gpt2, llama and bert are"),
        gguf("no tokens", g -> g.remove("tokenizer.ggml.tokens"), "ggml.tokens' is missing"),
        gguf(
            "too few tokens",
            g -> g.putStrings("tokenizer.ggml.tokens", List.of("a")),
            "the vocabulary has 1 tokens and the model 300"),
        gguf(
            "too few token types",
            g -> g.putIntegers("tokenizer.ggml.token_type", List.of(1)),
            "token_type' has 1 entries for 300 tokens"),
        gguf(
            "end token outside",
            g -> g.put("tokenizer.ggml.eos_token_id", 300),
            "eos_token_id' is 300, outside the 300 tokens"));
  }

  @ParameterizedTest
  @MethodSource
  void configIsRefused(Consumer<ObjectNode> change, List<String> words) throws IOException {
    TinyModels.llama(directory, 1).untied().writeSafetensors();
    edit("config.json", change);
    assertRefused(directory, words);
  }

  static List<Arguments> configIsRefused() {
    return List.of(
        json("no architecture", c -> c.remove("architectures"), "'architectures' is missing"),
        json(
            "unknown architecture",
            c -> c.putArray("architectures").add("MambaForCausalLM"),
            "config.json: the architecture 'MambaForCausalLM' is not known; known are",
            "LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, BertModel"),
        json("no width", c -> c.remove("hidden_size"), "'hidden_size' is missing"),
        json("width as text", c -> c.put("hidden_size", "64"), "'hidden_size' must be a 64-bit"),
        json("negative width", c -> c.put("hidden_size", -64), "'hidden_size' is -64; it must be"),
        json(
            "huge vocabulary", c -> c.put("vocab_size", 1L << 40), "'vocab_size' is 1099511627776"),
        json("other vocabulary", c -> c.put("vocab_size", 301), "[300, 64]", "[301, 64]"),
        json("relu", c -> c.put("hidden_act", "relu"), "activation 'relu' is not supported"),
        json("partial rope", c -> c.put("partial_rotary_factor", 0.5), "'partial_rotary_factor'"),
        json(
            "unknown rope scaling",
            c -> c.putObject("rope_scaling").put("type", "dynamic").put("factor", 2),
            "rope scaling 'dynamic' is not supported; linear and llama3 are"),
        json(
            "rope scaling without type",
            c -> c.putObject("rope_scaling").put("factor", 2),
            "names no 'rope_type'"),
        json(
            "llama3 without factor",
            c -> c.putObject("rope_scaling").put("rope_type", "llama3"),
            "the rope scaling has no 'factor'"),
        json(
            "llama3 upside down",
            c ->
                c.putObject("rope_scaling")
                    .put("rope_type", "llama3")
                    .put("factor", 8)
                    .put("low_freq_factor", 4)
                    .put("high_freq_factor", 1)
                    .put("original_max_position_embeddings", 8192),
            "low_freq_factor 4.0 is not below"),
        json(
            "scaling as text",
            c -> c.put("rope_scaling", "x2"),
            "'rope_scaling' must be an object"),
        json(
            "quantised checkpoint",
            c -> c.putObject("quantization_config").put("quant_method", "gptq"),
            "quantised by 'gptq', which is not supported"),
        json(
            "biases that are not there",
            c -> c.put("attention_bias", true),
            "'blk.0.attn_q.bias' [64] is missing"),
        json("experts", c -> c.put("num_local_experts", 8), "mixture of experts"));
  }

  @Test
  void anUntiedModelWithoutOutputIsRefused() throws IOException {
    TinyModels.llama(directory, 1).writeSafetensors();
    edit("config.json", config -> config.put("tie_word_embeddings", false));
    assertRefused(directory, List.of("'output.weight' [300, 64] is missing"));
  }

  @ParameterizedTest
  @MethodSource
  void sentenceEncoderIsRefused(String file, String content, List<String> words)
      throws IOException {
    TinyModels.bert(directory, 1).writeSafetensors();
    Files.writeString(directory.resolve(file), content);
    assertRefused(directory, words);
  }

  static List<Arguments> sentenceEncoderIsRefused() {
    String dense = "[{\"type\": \"sentence_transformers.models.Dense\", \"path\": \"2_Dense\"}]";
    String leaving = "[{\"type\": \"x.Pooling\", \"path\": \"../1_Pooling\"}]";
    return List.of(
        Arguments.of("config.json", "{", List.of("config.json: ", "not valid JSON")),
        Arguments.of("config.json", "[]", List.of("config.json: ", "not a JSON object")),
        Arguments.of("config.json", "{\"a\": 1, \"a\": 2}", List.of("Duplicate field 'a'")),
        Arguments.of("modules.json", dense, List.of("models.Dense' is not supported")),
        Arguments.of("modules.json", leaving, List.of("'../1_Pooling' is not the plain name")),
        Arguments.of("modules.json", "[]", List.of("no Pooling module")),
        Arguments.of("modules.json", "{}", List.of("not an array of at most 16 modules")),
        Arguments.of(
            "1_Pooling/config.json",
            "{\"pooling_mode_max_tokens\": true}",
            List.of("pooling mode 'max_tokens' is not supported; mean and cls are")),
        Arguments.of(
            "1_Pooling/config.json",
            "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}",
            List.of("must have one mode and has [cls_token, mean_tokens]")),
        Arguments.of(
            "sentence_bert_config.json",
            "{\"max_seq_length\": 0}",
            List.of("sentence_bert_config.json: 'max_seq_length' is 0")),
        Arguments.of(
            "tokenizer_config.json",
            "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}]}",
            List.of("tokenizer_config.json: 'chat_template' is neither")));
  }

  @Test
  void encodersOfOtherKindsAreRefused() throws IOException {
    TinyModels.bert(directory, 1).writeSafetensors();
    edit("config.json", config -> config.put("hidden_act", "gelu_new"));
    assertRefused(directory, List.of("'hidden_act' is 'gelu_new'; only 'gelu' is supported"));
    edit(
        "config.json",
        config -> config.put("hidden_act", "gelu").put("position_embedding_type", "relative_key"));
    assertRefused(directory, List.of("'position_embedding_type' is 'relative_key'; only"));
  }

  @Test
  void ggufEncodersThatRankAreRefused() throws IOException {
    Path file = TinyModels.bert(directory, 1).writeGguf(g -> g.put("bert.pooling_type", 4));
    assertRefused(file, List.of("'bert.pooling_type' is 4; 1 (mean) and 2 (CLS)"));
  }

  @Test
  void aTensorOfAnotherTypeIsNamedWithIt() throws IOException {
    TinyModels.llama(directory, 1).writeSafetensors();
    Path file = directory.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    String changed =
        text.replace(
            "\"model.norm.weight\":{\"dtype\":\"F32\"", "\"model.norm.weight\":{\"dtype\":\"I32\"");
    Files.write(file, changed.getBytes(StandardCharsets.ISO_8859_1));
    assertRefused(
        directory, List.of("'output_norm.weight' has type I32; F32, F16 and BF16 are supported"));
  }

  @Test
  void aTensorUnderTwoNamesIsRefused() throws IOException {
    TinyModels.bert(directory, 1).writeSafetensors();
    new SafetensorsWriter()
        .tensor("embeddings.LayerNorm.bias", "F32", Shape.of(1), new byte[4])
        .tensor("bert.embeddings.LayerNorm.beta", "F32", Shape.of(1), new byte[4])
        .write(directory.resolve("model.safetensors"));
    assertRefused(
        directory,
        List.of("model.safetensors: tensor 'token_embd_norm.bias' is there under two names"));
  }

  @Test
  void namesCannotForgeLogLinesOrSteerTerminals() throws IOException {
    Path file = TinyModels.llama(directory, 1).writeGguf(g -> g.tensor(floats("a\n\u001b[2Jb", 1)));
    assertRefused(file, List.of("tensor 'a\ufffd\ufffd[2Jb' has no place"));
    TinyModels.llama(directory, 1).writeGguf(g -> g.put("general.architecture", "x".repeat(9999)));
    assertThatThrownBy(() -> ModelFiles.open(file).close())
        .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(1100));
  }

  @Test
  void missingFilesAreNamed() throws IOException {
    assertRefused(directory, List.of("holds neither safetensors nor a GGUF file"));
    assertRefused(directory.resolve("no.gguf"), List.of("no.gguf: the file does not exist"));
    TinyModels.llama(directory, 1).writeSafetensors();
    Files.delete(directory.resolve("tokenizer.json"));
    assertRefused(directory, List.of("there is no tokenizer.json", "save_pretrained"));
    Files.delete(directory.resolve("config.json"));
    assertRefused(directory, List.of("there is no config.json"));
    assertRefused(
        directory.resolve("model.safetensors"), List.of("model.safetensors: ", "the directory"));
  }

  @Test
  void severalModelsInADirectoryAreRefused() throws IOException {
    Files.createFile(directory.resolve("a.gguf"));
    Files.createFile(directory.resolve("b.gguf"));
    assertRefused(directory, List.of("2 GGUF files (a.gguf ...); name one of them"));
    Files.createFile(directory.resolve("a.safetensors"));
    Files.createFile(directory.resolve("b.safetensors"));
    assertRefused(directory, List.of("2 safetensors files and no model.safetensors.index.json"));
  }

  @Test
  void picklesAreRefusedWithTheWayOut() throws IOException {
    for (String name : List.of("pytorch_model.bin", "model.PT", "weights.pkl")) {
      Path file = Files.createFile(directory.resolve(name));
      assertRefused(file, List.of(name, "can run code", "convert the model to safetensors"));
      assertRefused(directory, List.of(name, "convert the model to safetensors"));
      Files.delete(file);
    }
  }

  private void assertRefused(Path model, List<String> words) throws IOException {
    Malformed.assertRefused(directory, () -> open(model), words.toArray(String[]::new));
  }

  /// Opens all of a model: its vocabulary is read apart from the rest.
  private static void open(Path model) {
    try (ModelPackage files = ModelFiles.open(model)) {
      assertThat(files.tokenizer()).isNotNull();
    }
  }

  private void edit(String file, Consumer<ObjectNode> change) throws IOException {
    Path path = directory.resolve(file);
    ObjectNode node = (ObjectNode) MAPPER.readTree(Files.readString(path));
    change.accept(node);
    Files.writeString(path, node.toString());
  }

  private static Arguments gguf(String name, Consumer<GgufWriter> change, String... words) {
    return Arguments.of(Named.of(name, change), List.of(words));
  }

  private static Arguments json(String name, Consumer<ObjectNode> change, String... words) {
    return Arguments.of(Named.of(name, change), List.of(words));
  }

  private static Tensor floats(String name, int size) {
    return new Tensor(name, DType.F32, Shape.of(size), MemorySegment.ofArray(new byte[4 * size]));
  }
}
