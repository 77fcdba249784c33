package dev.weft.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.model.DecoderSpec;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The adapter that `golden/make_goldens.py` merges into SmolLM2's weights, as files of PEFT's. Its
/// elements are bits of a hash, which both compute, so that the megabytes need not be kept.
public final class GoldenAdapter {
  /// What [#write] makes.
  public static final List<String> FILES =
      List.of("adapter_config.json", "adapter_model.safetensors");

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int RANK = 8;
  private static final int ALPHA = 4;

  /// In the order in which matrices are numbered.
  private static final List<String> MODULES =
      List.of(
          "self_attn.q_proj",
          "self_attn.k_proj",
          "self_attn.v_proj",
          "self_attn.o_proj",
          "mlp.gate_proj",
          "mlp.up_proj",
          "mlp.down_proj");

  private final ObjectNode header = JSON.createObjectNode();
  private final ByteBuffer data;
  private int tensors;

  private GoldenAdapter(int bytes) {
    data = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /// Writes the adapter of `base` into a directory.
  public static void write(Path directory, DecoderSpec base) {
    int elements = 0;
    for (String module : MODULES) {
      elements += base.layerCount() * RANK * (inputs(base, module) + outputs(base, module));
    }
    var adapter = new GoldenAdapter(elements * Float.BYTES);
    for (int layer = 0; layer < base.layerCount(); layer++) {
      for (String module : MODULES) {
        String name = "base_model.model.model.layers.%d.%s".formatted(layer, module);
        adapter.matrix(name + ".lora_A.weight", RANK, inputs(base, module));
        adapter.matrix(name + ".lora_B.weight", outputs(base, module), RANK);
      }
    }
    try {
      adapter.write(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void write(Path directory) throws IOException {
    ObjectNode config = JSON.createObjectNode().put("peft_type", "LORA");
    config.put("r", RANK).put("lora_alpha", ALPHA);
    MODULES.forEach(config.putArray("target_modules")::add);
    JSON.writeValue(directory.resolve(FILES.getFirst()).toFile(), config);
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try (OutputStream file = Files.newOutputStream(directory.resolve(FILES.getLast()))) {
      file.write(length.putLong(json.length).array());
      file.write(json);
      file.write(data.array());
    }
  }

  private void matrix(String name, int rows, int columns) {
    ObjectNode entry = header.putObject(name).put("dtype", "F32");
    entry.putArray("shape").add(rows).add(columns);
    int start = data.position();
    for (int i = 0; i < rows * columns; i++) {
      data.putFloat(((mixed((tensors << 20) + i) >>> 24) - 127.5f) / 1024);
    }
    entry.putArray("data_offsets").add(start).add(data.position());
    tensors++;
  }

  /// The last steps of MurmurHash3 (Appleby, public domain).
  private static int mixed(int number) {
    int bits = number;
    bits = (bits ^ bits >>> 16) * 0x85EBCA6B;
    bits = (bits ^ bits >>> 13) * 0xC2B2AE35;
    return bits ^ bits >>> 16;
  }

  private static int inputs(DecoderSpec base, String module) {
    return switch (module) {
      case "self_attn.o_proj" -> base.queryWidth();
      case "mlp.down_proj" -> base.intermediateSize();
      default -> base.hiddenSize();
    };
  }

  private static int outputs(DecoderSpec base, String module) {
    return switch (module) {
      case "self_attn.q_proj" -> base.queryWidth();
      case "self_attn.k_proj", "self_attn.v_proj" -> base.kvWidth();
      case "mlp.gate_proj", "mlp.up_proj" -> base.intermediateSize();
      default -> base.hiddenSize();
    };
  }
}
