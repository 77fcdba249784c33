package dev.weft.runtime.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.weights.GgufFile;
import dev.weft.runtime.weights.SafetensorsFile;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The generated models are well formed and the same in both formats.
class TinyModelsTest {
  @TempDir Path directory;

  @ParameterizedTest
  @EnumSource
  void bothFormatsHoldTheSameValues(DType type) {
    TinyLlama model = TinyModels.llama(directory, 7).hidden(256).intermediate(256).dtype(type);
    Path gguf = model.writeGguf();
    Path safetensors = model.writeSafetensors().resolve("model.safetensors");
    try (GgufFile one = GgufFile.open(gguf);
        SafetensorsFile other = SafetensorsFile.open(safetensors)) {
      float[] expected = Dequantizer.all(other.tensor("model.layers.1.mlp.down_proj.weight"));
      float[] actual = Dequantizer.all(one.tensor("blk.1.ffn_down.weight"));
      assertThat(actual).isEqualTo(expected);
      assertThat(one.tensor("blk.1.ffn_down.weight").dtype()).isEqualTo(type);
      assertThat(one.names()).hasSameSizeAs(other.names());
    }
  }

  @ParameterizedTest
  @EnumSource
  void valuesHaveTheIntendedSpread(DType type) {
    Path gguf =
        TinyModels.llama(directory, 7).hidden(256).intermediate(256).dtype(type).writeGguf();
    try (GgufFile file = GgufFile.open(gguf)) {
      float[] embedding = Dequantizer.all(file.tensor("token_embd.weight"));
      double mean = 0;
      double squares = 0;
      for (float value : embedding) {
        mean += value;
        squares += value * value;
      }
      assertThat(mean / embedding.length).isBetween(-0.1, 0.1);
      assertThat(Math.sqrt(squares / embedding.length))
          .isBetween(0.7 * TinyWeights.EMBEDDING_DEVIATION, 1.4 * TinyWeights.EMBEDDING_DEVIATION);
    }
  }
}
