package dev.weft.runtime.model;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.GgufWriter;
import dev.weft.runtime.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// A small Llama; see [TinyModels].
public final class TinyLlama {
  private static final Map<String, String> LAYER_NAMES =
      Map.ofEntries(
          Map.entry("attn_norm", "input_layernorm"),
          Map.entry("attn_q", "self_attn.q_proj"),
          Map.entry("attn_k", "self_attn.k_proj"),
          Map.entry("attn_v", "self_attn.v_proj"),
          Map.entry("attn_output", "self_attn.o_proj"),
          Map.entry("ffn_norm", "post_attention_layernorm"),
          Map.entry("ffn_gate", "mlp.gate_proj"),
          Map.entry("ffn_up", "mlp.up_proj"),
          Map.entry("ffn_down", "mlp.down_proj"));

  private final Path directory;
  private final long seed;
  private int hidden = 64;
  private int layers = 2;
  private int heads = 4;
  private int kvHeads = 2;
  private int intermediate = 128;
  private int vocabulary = 300;
  private int context = 256;
  private boolean tied = true;
  private boolean qwen2;
  private DType dtype = DType.F32;

  TinyLlama(Path directory, long seed) {
    this.directory = directory;
    this.seed = seed;
  }

  public TinyLlama hidden(int value) {
    hidden = value;
    return this;
  }

  public TinyLlama layers(int value) {
    layers = value;
    return this;
  }

  public TinyLlama heads(int query, int keyValue) {
    heads = query;
    kvHeads = keyValue;
    return this;
  }

  public TinyLlama intermediate(int value) {
    intermediate = value;
    return this;
  }

  /// At least 259.
  public TinyLlama vocabulary(int value) {
    vocabulary = value;
    return this;
  }

  public TinyLlama context(int value) {
    context = value;
    return this;
  }

  /// Gives the model an output projection of its own.
  public TinyLlama untied() {
    tied = false;
    return this;
  }

  /// Makes it a Qwen2: the same with biases on queries, keys and values, and heads that turn the
  /// same way in both formats.
  public TinyLlama qwen2() {
    qwen2 = true;
    return this;
  }

  /// The type of all matrices; norms are always float32.
  public TinyLlama dtype(DType value) {
    dtype = value;
    return this;
  }

  /// Writes `model.gguf` and returns it.
  public Path writeGguf() {
    return writeGguf(_ -> {});
  }

  /// Writes `model.gguf` with what `edit` makes of it, and returns it.
  public Path writeGguf(Consumer<GgufWriter> edit) {
    GgufWriter gguf = gguf();
    tensors().forEach(gguf::tensor);
    edit.accept(gguf);
    return gguf.write(directory.resolve("model.gguf"));
  }

  /// Writes `model.safetensors`, `config.json` and the tokenizer's files; returns the directory.
  public Path writeSafetensors() {
    SafetensorsWriter writer = new SafetensorsWriter();
    weights()
        .all()
        .forEach((name, tensor) -> TinyWeights.write(writer, huggingFaceName(name), tensor));
    writer.write(directory.resolve("model.safetensors"));
    TinyTokenizers.write(directory.resolve("config.json"), config());
    TinyTokenizers.writeBpe(directory, vocabulary);
    return directory;
  }

  /// As [#writeSafetensors()], over two files with an index.
  public Path writeShards() {
    writeSafetensors();
    List<SafetensorsWriter> shards = List.of(new SafetensorsWriter(), new SafetensorsWriter());
    Map<String, String> weightMap = new LinkedHashMap<>();
    weights()
        .all()
        .forEach((name, tensor) -> {
          int shard = weightMap.size() % 2;
          TinyWeights.write(shards.get(shard), huggingFaceName(name), tensor);
          weightMap.put(huggingFaceName(name), shardName(shard));
        });
    for (int shard = 0; shard < shards.size(); shard++) {
      shards.get(shard).write(directory.resolve(shardName(shard)));
    }
    try {
      Files.delete(directory.resolve("model.safetensors"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    TinyTokenizers.write(
        directory.resolve("model.safetensors.index.json"), Map.of("weight_map", weightMap));
    return directory;
  }

  private static String shardName(int shard) {
    return "model-%05d-of-00002.safetensors".formatted(shard + 1);
  }

  private int headSize() {
    return hidden / heads;
  }

  private TinyWeights weights() {
    TinyWeights weights = new TinyWeights(seed);
    weights.embedding("token_embd.weight", dtype, vocabulary, hidden);
    // Makes up for the small embedding, so that logits are far enough apart to compare choices.
    weights.scale("output_norm.weight", hidden, 1 / TinyWeights.EMBEDDING_DEVIATION);
    if (!tied) {
      weights.matrix("output.weight", dtype, vocabulary, hidden);
    }
    for (int layer = 0; layer < layers; layer++) {
      String prefix = "blk." + layer + ".";
      weights.scale(prefix + "attn_norm.weight", hidden);
      // Attention sharp and strong enough that what was said long ago still matters.
      weights.matrix(prefix + "attn_q.weight", dtype, hidden, hidden, 2);
      weights.matrix(prefix + "attn_k.weight", dtype, kvHeads * headSize(), hidden, 2);
      weights.matrix(prefix + "attn_v.weight", dtype, kvHeads * headSize(), hidden);
      if (qwen2) {
        weights.bias(prefix + "attn_q.bias", hidden);
        weights.bias(prefix + "attn_k.bias", kvHeads * headSize());
        weights.bias(prefix + "attn_v.bias", kvHeads * headSize());
      }
      weights.matrix(prefix + "attn_output.weight", dtype, hidden, hidden, 2);
      weights.scale(prefix + "ffn_norm.weight", hidden);
      weights.matrix(prefix + "ffn_gate.weight", dtype, intermediate, hidden);
      weights.matrix(prefix + "ffn_up.weight", dtype, intermediate, hidden);
      weights.matrix(prefix + "ffn_down.weight", dtype, hidden, intermediate);
    }
    return weights;
  }

  /// GGUF's layout of the same weights: it turns neighbouring elements of a head, where Hugging
  /// Face turns an element and the one half a head further.
  private List<Tensor> tensors() {
    return weights().all().values().stream()
        .map(tensor ->
            !qwen2 && (tensor.name().contains("attn_q.") || tensor.name().contains("attn_k."))
                ? interleaved(tensor, headSize())
                : tensor)
        .toList();
  }

  private static Tensor interleaved(Tensor tensor, int headSize) {
    long rows = tensor.shape().rowCount();
    long rowBytes = tensor.data().byteSize() / rows;
    MemorySegment out = MemorySegment.ofArray(new byte[Math.toIntExact(rows * rowBytes)]);
    for (long row = 0; row < rows; row++) {
      long head = row / headSize;
      long element = row % headSize;
      long source = head * headSize + (element % 2) * (headSize / 2) + element / 2;
      MemorySegment.copy(tensor.data(), source * rowBytes, out, row * rowBytes, rowBytes);
    }
    return new Tensor(tensor.name(), tensor.dtype(), tensor.shape(), out);
  }

  private GgufWriter gguf() {
    String architecture = qwen2 ? "qwen2" : "llama";
    GgufWriter gguf =
        new GgufWriter()
            .put("general.architecture", architecture)
            .put("general.name", "Tiny Llama")
            .put(architecture + ".block_count", layers)
            .put(architecture + ".context_length", context)
            .put(architecture + ".embedding_length", hidden)
            .put(architecture + ".feed_forward_length", intermediate)
            .put(architecture + ".attention.head_count", heads)
            .put(architecture + ".attention.head_count_kv", kvHeads)
            .put(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f)
            .put(architecture + ".rope.freq_base", 10_000f)
            .put(architecture + ".rope.dimension_count", headSize())
            .put(architecture + ".vocab_size", vocabulary);
    TinyTokenizers.putBpe(gguf, vocabulary);
    return gguf;
  }

  private Map<String, Object> config() {
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("architectures", new String[] {qwen2 ? "Qwen2ForCausalLM" : "LlamaForCausalLM"});
    config.put("model_type", qwen2 ? "qwen2" : "llama");
    config.put("hidden_size", hidden);
    config.put("num_hidden_layers", layers);
    config.put("num_attention_heads", heads);
    config.put("num_key_value_heads", kvHeads);
    config.put("intermediate_size", intermediate);
    config.put("vocab_size", vocabulary);
    config.put("max_position_embeddings", context);
    config.put("rms_norm_eps", 1e-5);
    config.put("rope_theta", 10_000.0);
    config.put("hidden_act", "silu");
    config.put("tie_word_embeddings", tied);
    config.put("bos_token_id", 1);
    config.put("eos_token_id", 2);
    return config;
  }

  private static String huggingFaceName(String name) {
    return switch (name) {
      case "token_embd.weight" -> "model.embed_tokens.weight";
      case "output_norm.weight" -> "model.norm.weight";
      case "output.weight" -> "lm_head.weight";
      default -> {
        String[] parts = name.split("\\.", -1);
        yield "model.layers." + parts[1] + "." + LAYER_NAMES.get(parts[2]) + "." + parts[3];
      }
    };
  }
}
