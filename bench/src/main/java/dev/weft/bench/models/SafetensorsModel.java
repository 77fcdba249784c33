package dev.weft.bench.models;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.bench.models.ModelShape.TensorShape;
import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/// Writes a model as a directory of Hugging Face's files, all tensors in one type.
final class SafetensorsModel {
  private static final ObjectMapper JSON = new ObjectMapper();

  /// Hugging Face's names by GGUF's, in and outside of layers.
  private static final Map<String, String> NAMES =
      Map.ofEntries(
          Map.entry("token_embd", "model.embed_tokens"),
          Map.entry("output_norm", "model.norm"),
          Map.entry("output", "lm_head"),
          Map.entry("attn_norm", "input_layernorm"),
          Map.entry("attn_q", "self_attn.q_proj"),
          Map.entry("attn_k", "self_attn.k_proj"),
          Map.entry("attn_v", "self_attn.v_proj"),
          Map.entry("attn_output", "self_attn.o_proj"),
          Map.entry("ffn_norm", "post_attention_layernorm"),
          Map.entry("ffn_gate", "mlp.gate_proj"),
          Map.entry("ffn_up", "mlp.up_proj"),
          Map.entry("ffn_down", "mlp.down_proj"));

  private final ModelShape shape;
  private final DType type;
  private final Vocabulary vocabulary;

  SafetensorsModel(ModelShape shape, DType type, Vocabulary vocabulary) {
    this.shape = shape;
    this.type = type;
    this.vocabulary = vocabulary;
  }

  void write(Path directory, WeightSource source) throws IOException {
    Files.createDirectories(directory);
    JSON.writeValue(directory.resolve("config.json").toFile(), config());
    vocabulary.writeJson(directory);
    try (FileChannel channel =
        FileChannel.open(
            directory.resolve("model.safetensors"),
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      byte[] header = header().toString().getBytes(StandardCharsets.UTF_8);
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      RowStream.writeFully(channel, length.putLong(header.length).flip());
      RowStream.writeFully(channel, ByteBuffer.wrap(header));
      for (TensorShape tensor : shape.tensors()) {
        RowStream.write(channel, tensor, type, source, row -> row);
      }
    }
  }

  private ObjectNode header() {
    ObjectNode header = JSON.createObjectNode();
    long offset = 0;
    for (TensorShape tensor : shape.tensors()) {
      ObjectNode entry = header.putObject(name(tensor.name())).put("dtype", type.name());
      ArrayNode dimensions = entry.putArray("shape");
      if (tensor.rows() > 1) {
        dimensions.add(tensor.rows());
      }
      dimensions.add(tensor.columns());
      long end = offset + type.byteSize(tensor.elements());
      entry.putArray("data_offsets").add(offset).add(end);
      offset = end;
    }
    return header;
  }

  private static String name(String gguf) {
    String[] parts = gguf.split("\\.", -1);
    return parts.length == 2
        ? NAMES.get(parts[0]) + "." + parts[1]
        : "model.layers." + parts[1] + "." + NAMES.get(parts[2]) + "." + parts[3];
  }

  private ObjectNode config() {
    ObjectNode config = JSON.createObjectNode();
    config.putArray("architectures").add(shape.qwen2() ? "Qwen2ForCausalLM" : "LlamaForCausalLM");
    config.put("model_type", shape.architecture());
    config.put("hidden_size", shape.hidden());
    config.put("num_hidden_layers", shape.layers());
    config.put("num_attention_heads", shape.heads());
    config.put("num_key_value_heads", shape.kvHeads());
    config.put("head_dim", shape.headSize());
    config.put("intermediate_size", shape.intermediate());
    config.put("vocab_size", shape.vocabulary());
    config.put("max_position_embeddings", shape.context());
    config.put("rms_norm_eps", shape.normEpsilon());
    config.put("rope_theta", shape.theta());
    config.put("hidden_act", "silu");
    config.put("tie_word_embeddings", shape.tied());
    config.put("bos_token_id", 1);
    config.put("eos_token_id", 2);
    return config;
  }
}
