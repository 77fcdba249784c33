package dev.weft.runtime.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Settings of Llama and its kin are read as transformers and llama.cpp read them.
class LlamaFamilyTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  @TempDir Path directory;

  /// Llama 3.2 1B's settings. The expected values are transformers' unscaled frequencies divided by
  /// those of its `_compute_llama3_parameters`.
  @Test
  void llama3StretchesLongWaves() {
    ObjectNode settings =
        MAPPER
            .createObjectNode()
            .put("rope_type", "llama3")
            .put("factor", 32.0)
            .put("low_freq_factor", 1.0)
            .put("high_freq_factor", 4.0)
            .put("original_max_position_embeddings", 8192);
    JsonConfig config = new JsonConfig("config.json", "rope_scaling.", settings);
    List<Float> factors = RopeScaling.huggingFace(Optional.of(config), 500_000, 64);
    assertThat(factors).hasSize(32);
    assertThat(factors.subList(0, 15)).containsOnly(1f);
    assertThat(factors.get(15)).isCloseTo(1.651329f, within(1e-5f));
    assertThat(factors.get(16)).isCloseTo(3.292263f, within(1e-5f));
    assertThat(factors.get(17)).isCloseTo(9.666731f, within(1e-4f));
    assertThat(factors.subList(18, 32)).containsOnly(32f);
  }

  @Test
  void linearStretchesAllAlike() throws IOException {
    assertThat(factors(c -> c.putObject("rope_scaling").put("type", "linear").put("factor", 4)))
        .isEqualTo(Collections.nCopies(8, 4f));
  }

  @Test
  void newerFilesKeepEverythingInRopeParameters() throws IOException {
    DecoderSpec.Rope rope =
        rope(c -> {
          c.remove("rope_theta");
          c.putObject("rope_parameters").put("rope_type", "default").put("rope_theta", 5e5);
        });
    assertThat(rope.theta()).isEqualTo(5e5);
    assertThat(rope.frequencyFactors()).isEmpty();
  }

  @Test
  void nullIsNoScaling() throws IOException {
    assertThat(factors(c -> c.putNull("rope_scaling"))).isEmpty();
  }

  @Test
  void ggufFactorsAreItsTensorTimesItsLinearScaling() {
    ByteBuffer values = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 8; i++) {
      values.putFloat(1 + i);
    }
    Tensor tensor =
        new Tensor(
            "rope_freqs.weight", DType.F32, Shape.of(8), MemorySegment.ofArray(values.array()));
    Path file =
        TinyModels.llama(directory, 1)
            .writeGguf(gguf ->
                gguf.tensor(tensor)
                    .put("llama.rope.scaling.type", "linear")
                    .put("llama.rope.scaling.factor", 2f));
    try (ModelPackage model = ModelFiles.open(file)) {
      assertThat(((DecoderSpec) model.spec()).rope().frequencyFactors())
          .containsExactly(2f, 4f, 6f, 8f, 10f, 12f, 14f, 16f);
    }
  }

  @Test
  void mistralTakesTransformersDefaults() throws IOException {
    Consumer<ObjectNode> mistral = c -> c.putArray("architectures").add("MistralForCausalLM");
    assertThat(open(mistral).slidingWindow()).isEqualTo(4096);
    assertThat(open(mistral.andThen(c -> c.putNull("sliding_window"))).slidingWindow()).isZero();
    assertThat(open(mistral.andThen(c -> c.put("sliding_window", 100))).slidingWindow())
        .isEqualTo(100);
    assertThat(open(mistral).family()).isEqualTo("mistral");
  }

  @Test
  void qwen2HasBiasesThatNoSettingNames() {
    TinyLlama qwen = TinyModels.llama(directory, 1).qwen2();
    try (ModelPackage gguf = ModelFiles.open(qwen.writeGguf());
        ModelPackage safetensors = ModelFiles.open(qwen.writeSafetensors())) {
      DecoderSpec spec = (DecoderSpec) safetensors.spec();
      assertThat(spec.family()).isEqualTo("qwen2");
      assertThat(spec.attentionBias()).isTrue();
      assertThat(((DecoderSpec) gguf.spec()).attentionBias()).isTrue();
      assertThat(((DecoderSpec) gguf.spec()).rope()).isEqualTo(spec.rope());
      assertThat(safetensors.weights().names()).isEqualTo(gguf.weights().names());
    }
  }

  @Test
  void qwen2WithoutItsBiasesIsRefused() {
    TinyLlama qwen = TinyModels.llama(directory, 1).qwen2();
    Path file = qwen.writeGguf(gguf -> gguf.remove("blk.0.attn_q.bias"));
    assertThatThrownBy(() -> ModelFiles.open(file)).hasMessageContaining("attn_q.bias");
  }

  /// Qwen2's own configurations carry a window that is switched off.
  @Test
  void qwen2LooksBackOverAllUnlessItsWindowIsOn() throws IOException {
    Consumer<ObjectNode> window = c -> c.put("sliding_window", 32).put("use_sliding_window", false);
    assertThat(openQwen2(window).slidingWindow()).isZero();
    assertThatThrownBy(() -> openQwen2(window.andThen(c -> c.put("use_sliding_window", true))))
        .hasMessageContaining("use_sliding_window");
  }

  private List<Float> factors(Consumer<ObjectNode> change) throws IOException {
    return rope(change).frequencyFactors();
  }

  private DecoderSpec.Rope rope(Consumer<ObjectNode> change) throws IOException {
    return open(change).rope();
  }

  private DecoderSpec open(Consumer<ObjectNode> change) throws IOException {
    return open(TinyModels.llama(directory, 1), change);
  }

  private DecoderSpec openQwen2(Consumer<ObjectNode> change) throws IOException {
    return open(TinyModels.llama(directory, 1).qwen2(), change);
  }

  private DecoderSpec open(TinyLlama tiny, Consumer<ObjectNode> change) throws IOException {
    tiny.writeSafetensors();
    Path file = directory.resolve("config.json");
    ObjectNode config = (ObjectNode) MAPPER.readTree(Files.readString(file));
    change.accept(config);
    Files.writeString(file, config.toString());
    try (ModelPackage model = ModelFiles.open(directory)) {
      return (DecoderSpec) model.spec();
    }
  }
}
