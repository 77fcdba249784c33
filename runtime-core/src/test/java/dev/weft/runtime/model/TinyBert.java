package dev.weft.runtime.model;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.weights.GgufWriter;
import dev.weft.runtime.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// A small BERT that embeds sentences; see [TinyModels].
public final class TinyBert {
  private static final Map<String, String> LAYER_NAMES =
      Map.of(
          "attn_q", "attention.self.query",
          "attn_k", "attention.self.key",
          "attn_v", "attention.self.value",
          "attn_output", "attention.output.dense",
          "attn_output_norm", "attention.output.LayerNorm",
          "ffn_up", "intermediate.dense",
          "ffn_down", "output.dense",
          "layer_output_norm", "output.LayerNorm");

  private final Path directory;
  private final long seed;
  private final int vocabulary = TinyTokenizers.wordPieces().size();
  private int hidden = 32;
  private int layers = 2;
  private int heads = 4;
  private int intermediate = 64;
  private int positions = 64;
  private String prefix = "";
  private DType dtype = DType.F32;

  TinyBert(Path directory, long seed) {
    this.directory = directory;
    this.seed = seed;
  }

  public TinyBert hidden(int value) {
    hidden = value;
    return this;
  }

  public TinyBert layers(int value) {
    layers = value;
    return this;
  }

  public TinyBert heads(int value) {
    heads = value;
    return this;
  }

  public TinyBert intermediate(int value) {
    intermediate = value;
    return this;
  }

  public TinyBert positions(int value) {
    positions = value;
    return this;
  }

  /// What stands before every name in the safetensors file: `bert.` or `0.auto_model.`.
  public TinyBert prefix(String value) {
    prefix = value;
    return this;
  }

  /// The type of the matrices of the layers; embeddings, norms and biases are float32.
  public TinyBert dtype(DType value) {
    dtype = value;
    return this;
  }

  /// Writes `model.gguf` and returns it.
  public Path writeGguf() {
    return writeGguf(_ -> {});
  }

  /// Writes `model.gguf` with what `edit` makes of it, and returns it.
  public Path writeGguf(Consumer<GgufWriter> edit) {
    GgufWriter gguf =
        new GgufWriter()
            .put("general.architecture", "bert")
            .put("bert.block_count", layers)
            .put("bert.context_length", positions)
            .put("bert.embedding_length", hidden)
            .put("bert.feed_forward_length", intermediate)
            .put("bert.attention.head_count", heads)
            .put("bert.attention.layer_norm_epsilon", 1e-12f)
            .put("bert.attention.causal", false)
            .put("bert.pooling_type", 1)
            .put("tokenizer.ggml.token_type_count", 2);
    TinyTokenizers.putWordPieces(gguf);
    weights().all().values().forEach(gguf::tensor);
    edit.accept(gguf);
    return gguf.write(directory.resolve("model.gguf"));
  }

  /// Writes the layout of sentence-transformers and returns the directory.
  public Path writeSafetensors() {
    SafetensorsWriter writer = new SafetensorsWriter();
    weights()
        .all()
        .forEach(
            (name, tensor) -> TinyWeights.write(writer, prefix + huggingFaceName(name), tensor));
    writer.write(directory.resolve("model.safetensors"));
    TinyTokenizers.write(directory.resolve("config.json"), config());
    TinyTokenizers.write(
        directory.resolve("modules.json"),
        List.of(
            module(0, "", "sentence_transformers.models.Transformer"),
            module(1, "1_Pooling", "sentence_transformers.models.Pooling"),
            module(2, "2_Normalize", "sentence_transformers.models.Normalize")));
    try {
      Files.createDirectories(directory.resolve("1_Pooling"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    TinyTokenizers.write(
        directory.resolve("1_Pooling/config.json"),
        Map.of("word_embedding_dimension", hidden, "pooling_mode_mean_tokens", true));
    TinyTokenizers.write(
        directory.resolve("sentence_bert_config.json"), Map.of("max_seq_length", positions / 2));
    TinyTokenizers.writeWordPieces(directory);
    return directory;
  }

  private static Map<String, Object> module(int index, String path, String type) {
    return Map.of("idx", index, "name", String.valueOf(index), "path", path, "type", type);
  }

  private TinyWeights weights() {
    TinyWeights weights = new TinyWeights(seed);
    weights.embedding("token_embd.weight", DType.F32, vocabulary, hidden);
    weights.embedding("position_embd.weight", DType.F32, positions, hidden);
    weights.embedding("token_types.weight", DType.F32, 2, hidden);
    norm(weights, "token_embd_norm");
    for (int layer = 0; layer < layers; layer++) {
      String block = "blk." + layer + ".";
      linear(weights, block + "attn_q", hidden, hidden);
      linear(weights, block + "attn_k", hidden, hidden);
      linear(weights, block + "attn_v", hidden, hidden);
      linear(weights, block + "attn_output", hidden, hidden);
      norm(weights, block + "attn_output_norm");
      linear(weights, block + "ffn_up", intermediate, hidden);
      linear(weights, block + "ffn_down", hidden, intermediate);
      norm(weights, block + "layer_output_norm");
    }
    return weights;
  }

  private void linear(TinyWeights weights, String name, int outputs, int inputs) {
    weights.matrix(name + ".weight", dtype, outputs, inputs);
    weights.bias(name + ".bias", outputs);
  }

  private void norm(TinyWeights weights, String name) {
    weights.scale(name + ".weight", hidden);
    weights.bias(name + ".bias", hidden);
  }

  private Map<String, Object> config() {
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("architectures", List.of("BertModel"));
    config.put("model_type", "bert");
    config.put("hidden_size", hidden);
    config.put("num_hidden_layers", layers);
    config.put("num_attention_heads", heads);
    config.put("intermediate_size", intermediate);
    config.put("vocab_size", vocabulary);
    config.put("max_position_embeddings", positions);
    config.put("type_vocab_size", 2);
    config.put("layer_norm_eps", 1e-12);
    config.put("hidden_act", "gelu");
    config.put("position_embedding_type", "absolute");
    return config;
  }

  private static String huggingFaceName(String name) {
    String[] parts = name.split("\\.", -1);
    return switch (parts[0]) {
      case "token_embd" -> "embeddings.word_embeddings.weight";
      case "position_embd" -> "embeddings.position_embeddings.weight";
      case "token_types" -> "embeddings.token_type_embeddings.weight";
      case "token_embd_norm" -> "embeddings.LayerNorm." + parts[1];
      default -> "encoder.layer." + parts[1] + "." + LAYER_NAMES.get(parts[2]) + "." + parts[3];
    };
  }
}
