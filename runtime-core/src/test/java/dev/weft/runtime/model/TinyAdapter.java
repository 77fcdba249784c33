package dev.weft.runtime.model;

import dev.weft.runtime.backend.RandomAdapters;
import dev.weft.runtime.model.AdapterWeights.Delta;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.GgufWriter;
import dev.weft.runtime.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// A small random adapter, written as PEFT and llama.cpp write theirs.
public final class TinyAdapter {
  private static final Map<String, String> MODULES =
      Map.of(
          "attn_q", "self_attn.q_proj",
          "attn_k", "self_attn.k_proj",
          "attn_v", "self_attn.v_proj",
          "attn_output", "self_attn.o_proj",
          "ffn_gate", "mlp.gate_proj",
          "ffn_up", "mlp.up_proj",
          "ffn_down", "mlp.down_proj");

  private final AdapterWeights weights;
  private final int rank;

  private TinyAdapter(AdapterWeights weights, int rank) {
    this.weights = weights;
    this.rank = rank;
  }

  /// Of all matrices; for queries and keys in the order that the base's spec says.
  public static TinyAdapter of(DecoderSpec base, int rank, DType type, long seed) {
    return new TinyAdapter(RandomAdapters.all(base, rank, type, seed), rank);
  }

  /// Of these parts of every layer.
  public static TinyAdapter of(
      DecoderSpec base, List<String> parts, int rank, DType type, long seed) {
    return new TinyAdapter(RandomAdapters.of(base, parts, rank, type, seed), rank);
  }

  /// As in the files that it writes.
  public AdapterWeights weights() {
    return weights;
  }

  /// Writes `adapter_config.json` and `adapter_model.safetensors`; returns the directory.
  public Path writePeft(Path directory) {
    return writePeft(directory, _ -> {}, _ -> {});
  }

  public Path writePeft(
      Path directory, Consumer<Map<String, Object>> config, Consumer<Map<String, Tensor>> tensors) {
    Map<String, Object> settings = new LinkedHashMap<>();
    settings.put("peft_type", "LORA");
    settings.put("base_model_name_or_path", "tiny");
    settings.put("bias", "none");
    settings.put("fan_in_fan_out", false);
    settings.put("init_lora_weights", true);
    settings.put("lora_alpha", alpha());
    settings.put("lora_dropout", 0.05);
    settings.put("modules_to_save", null);
    settings.put("r", rank);
    settings.put("rank_pattern", Map.of());
    settings.put("target_modules", List.copyOf(MODULES.values()));
    settings.put("task_type", "CAUSAL_LM");
    settings.put("use_dora", false);
    settings.put("use_rslora", false);
    config.accept(settings);
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (Delta delta : weights.deltas()) {
      String module =
          "base_model.model.model.layers." + delta.layer() + "." + MODULES.get(delta.part());
      named.put(module + ".lora_A.weight", delta.a());
      named.put(module + ".lora_B.weight", delta.b());
    }
    tensors.accept(named);
    SafetensorsWriter writer = new SafetensorsWriter();
    named.forEach((name, tensor) ->
        writer.tensor(
            name,
            tensor.dtype().name(),
            tensor.shape(),
            tensor.data().toArray(ValueLayout.JAVA_BYTE)));
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    writer.write(directory.resolve("adapter_model.safetensors"));
    TinyTokenizers.write(directory.resolve("adapter_config.json"), settings);
    return directory;
  }

  /// Writes a GGUF adapter, and returns the file.
  public Path writeGguf(Path file, Consumer<GgufWriter> edit) {
    GgufWriter gguf =
        new GgufWriter()
            .put("general.architecture", "llama")
            .put("general.type", "adapter")
            .put("adapter.type", "lora")
            .put("adapter.lora.alpha", (float) alpha());
    for (Delta delta : weights.deltas()) {
      gguf.tensor(named(delta.weightName() + ".lora_a", delta.a()));
      gguf.tensor(named(delta.weightName() + ".lora_b", delta.b()));
    }
    edit.accept(gguf);
    return gguf.write(file);
  }

  private static Tensor named(String name, Tensor tensor) {
    return new Tensor(name, tensor.dtype(), tensor.shape(), tensor.data());
  }

  private double alpha() {
    return weights.deltas().getFirst().scale() * rank;
  }
}
