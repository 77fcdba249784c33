package dev.weft.runtime.model;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.GgufWriter;
import dev.weft.runtime.weights.Malformed;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Adapters that are broken, ask for what is not supported, or belong to another base.
class MalformedAdapterTest {
  private static final String LAYER = "base_model.model.model.layers.0.";
  private static final String QUERY_A = LAYER + "self_attn.q_proj.lora_A.weight";
  private static final String QUERY_B = LAYER + "self_attn.q_proj.lora_B.weight";

  @TempDir private Path base;
  @TempDir private Path directory;
  private DecoderSpec spec;

  @BeforeEach
  void readTheBase() {
    try (var model = ModelFiles.open(TinyModels.llama(base, 1).writeSafetensors())) {
      spec = (DecoderSpec) model.spec();
    }
  }

  @ParameterizedTest
  @MethodSource
  void configIsRefused(Consumer<Map<String, Object>> change, List<String> words)
      throws IOException {
    TinyAdapter.of(spec, 4, DType.F32, 1).writePeft(directory, change, _ -> {});
    assertRefused(directory, words);
  }

  static List<Arguments> configIsRefused() {
    return List.of(
        config("no type", c -> c.remove("peft_type"), "'peft_type' is ''; only LORA"),
        config("IA3", c -> c.put("peft_type", "IA3"), "'peft_type' is 'IA3'"),
        config("no rank", c -> c.remove("r"), "adapter_config.json: 'r' is missing"),
        config("rank 0", c -> c.put("r", 0), "'r' is 0; it must be 1 to 1024"),
        config("rank 2^40", c -> c.put("r", 1L << 40), "'r' is 1099511627776"),
        config("rank as text", c -> c.put("r", "4"), "'r' must be a 64-bit integer"),
        config("other rank", c -> c.put("r", 8), "has shape [4, 64]", "says a rank of 8"),
        config("no alpha", c -> c.remove("lora_alpha"), "'lora_alpha' is missing"),
        config("alpha 0", c -> c.put("lora_alpha", 0), "'lora_alpha' is 0.0"),
        config("endless alpha", c -> c.put("lora_alpha", 1e300), "'lora_alpha' is 1.0E300"),
        config("DoRA", c -> c.put("use_dora", true), "'use_dora' is set", "DoRA"),
        config("bias", c -> c.put("bias", "all"), "'bias' is 'all'; only 'none'"),
        config("own bias", c -> c.put("lora_bias", true), "'lora_bias' is set"),
        config(
            "modules to save",
            c -> c.put("modules_to_save", List.of("lm_head")),
            "'modules_to_save' is set"),
        config(
            "rank pattern",
            c -> c.put("rank_pattern", Map.of("q_proj", 8)),
            "'rank_pattern' is set"),
        config(
            "alpha pattern",
            c -> c.put("alpha_pattern", Map.of("q_proj", 8)),
            "'alpha_pattern' is set"),
        config("transposed", c -> c.put("fan_in_fan_out", true), "'fan_in_fan_out' is set"),
        config(
            "repeated layers",
            c -> c.put("layer_replication", List.of(List.of(0, 2))),
            "'layer_replication' is set"),
        config(
            "tokens",
            c -> c.put("trainable_token_indices", List.of(1)),
            "'trainable_token_indices' is set"),
        config(
            "PiSSA", c -> c.put("init_lora_weights", "pissa"), "'pissa', which changes the base"));
  }

  @ParameterizedTest
  @MethodSource
  void tensorsAreRefused(Consumer<Map<String, Tensor>> change, List<String> words)
      throws IOException {
    TinyAdapter.of(spec, 4, DType.F32, 1).writePeft(directory, _ -> {}, change);
    assertRefused(directory, words);
  }

  static List<Arguments> tensorsAreRefused() {
    return List.of(
        tensors("none", Map::clear, "adapter_model.safetensors: the adapter has no tensors"),
        tensors("A alone", t -> t.remove(QUERY_B), "lora_A.weight' has no B beside it"),
        tensors("B alone", t -> t.remove(QUERY_A), "lora_B.weight' has no A beside it"),
        tensors(
            "of an embedding",
            t -> t.put("base_model.model.model.embed_tokens.lora_embedding_A", floats(4, 64)),
            "embed_tokens.lora_embedding_A' has no place"),
        tensors(
            "of the output",
            t -> {
              t.put("base_model.model.lm_head.lora_A.weight", floats(4, 64));
              t.put("base_model.model.lm_head.lora_B.weight", floats(300, 4));
            },
            "lm_head.lora_A.weight' has no place"),
        tensors(
            "magnitudes",
            t -> t.put(LAYER + "self_attn.q_proj.lora_magnitude_vector", floats(64)),
            "lora_magnitude_vector' has no place"),
        tensors(
            "of another module",
            t -> t.put(LAYER + "mlp.experts.0.lora_A.weight", floats(4, 64)),
            "experts.0.lora_A.weight' has no place"),
        tensors(
            "under two names",
            t -> t.put(LAYER + "self_attn.q_proj.lora_A.default.weight", floats(4, 64)),
            "is there under two names"),
        tensors(
            "of a wider base",
            t -> t.put(QUERY_A, floats(4, 128)),
            "q_proj.lora_A.weight' has shape [4, 128]; its base needs [4, 64]"),
        tensors(
            "of more heads",
            t -> t.put(QUERY_B, floats(128, 4)),
            "q_proj.lora_B.weight' has shape [128, 4]; its base needs [64, 4]"),
        tensors(
            "of a layer that is not there",
            t -> {
              t.put(QUERY_A.replace("layers.0", "layers.9"), floats(4, 64));
              t.put(QUERY_B.replace("layers.0", "layers.9"), floats(64, 4));
            },
            "changes layer 9; the base has 2 layers"),
        tensors(
            "of one dimension",
            t -> t.put(QUERY_B, floats(64)),
            "lora_B.weight' has shape [64]; its base needs [64, 4]"));
  }

  @ParameterizedTest
  @MethodSource
  void ggufIsRefused(Consumer<GgufWriter> change, List<String> words) throws IOException {
    Path file =
        TinyAdapter.of(spec, 4, DType.F32, 1).writeGguf(directory.resolve("a.gguf"), change);
    assertRefused(file, words);
  }

  static List<Arguments> ggufIsRefused() {
    return List.of(
        gguf("a model", g -> g.put("general.type", "model"), "'general.type' is 'model'"),
        gguf("no type", g -> g.remove("adapter.type"), "'adapter.type' is ''; it must be 'lora'"),
        gguf("mamba", g -> g.put("general.architecture", "mamba"), "'mamba' are not supported"),
        gguf("bert", g -> g.put("general.architecture", "bert"), "'bert' are not supported"),
        gguf(
            "alpha as text",
            g -> g.put("adapter.lora.alpha", "1"),
            "'adapter.lora.alpha' is a string and must be a"),
        gguf("A alone", g -> g.remove("blk.0.attn_q.weight.lora_b"), "lora_a' has no B beside it"),
        gguf(
            "another tensor",
            g -> g.tensor(named("blk.0.attn_norm.weight", floats(64))),
            "'blk.0.attn_norm.weight' has no place"));
  }

  @Test
  void missingFilesAreNamed() throws IOException {
    assertRefused(directory, List.of("neither an adapter_config.json nor a GGUF file"));
    TinyAdapter.of(spec, 4, DType.F32, 1).writePeft(directory);
    Path weights = directory.resolve("adapter_model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    Files.write(weights, Arrays.copyOf(bytes, bytes.length - 100));
    assertRefused(directory, List.of("adapter_model.safetensors: "));
    Files.delete(weights);
    assertRefused(directory, List.of("there is no adapter_model.safetensors"));
    Files.createFile(directory.resolve("adapter_model.bin"));
    assertRefused(directory, List.of("adapter_model.bin: ", "can run code"));
    Files.writeString(directory.resolve("adapter_config.json"), "[");
    assertRefused(directory, List.of("adapter_config.json: ", "not valid JSON"));
  }

  private void assertRefused(Path adapter, List<String> words) throws IOException {
    Malformed.assertRefused(
        directory, () -> AdapterFiles.open(adapter, spec).close(), words.toArray(String[]::new));
  }

  private static Tensor floats(long... dimensions) {
    Shape shape = Shape.of(dimensions);
    return new Tensor(
        "x", DType.F32, shape, MemorySegment.ofArray(new byte[(int) shape.elementCount() * 4]));
  }

  private static Tensor named(String name, Tensor tensor) {
    return new Tensor(name, tensor.dtype(), tensor.shape(), tensor.data());
  }

  private static Arguments config(
      String name, Consumer<Map<String, Object>> change, String... words) {
    return Arguments.of(Named.of(name, change), List.of(words));
  }

  private static Arguments tensors(
      String name, Consumer<Map<String, Tensor>> change, String... words) {
    return Arguments.of(Named.of(name, change), List.of(words));
  }

  private static Arguments gguf(String name, Consumer<GgufWriter> change, String... words) {
    return Arguments.of(Named.of(name, change), List.of(words));
  }
}
