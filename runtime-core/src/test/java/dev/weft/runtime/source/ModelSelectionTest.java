package dev.weft.runtime.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.runtime.source.ModelSelection.Choice;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Which of a repository's files become the model.
class ModelSelectionTest {
  private static Choice choose(String inside, String... paths) {
    List<ListedFile> files =
        Stream.of(paths)
            .map(path -> new ListedFile(path, 10, Hashes.SHA_256, "0".repeat(64)))
            .toList();
    return ModelSelection.choose(files, inside);
  }

  private static List<String> paths(Choice choice) {
    return choice.files().stream().map(ListedFile::path).toList();
  }

  private static void assertRefuses(String word, String inside, String... paths) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> choose(inside, paths))
        .withMessageContaining(word);
  }

  @Test
  void safetensorsComeWithTheirConfigurationAndNothingElse() {
    Choice choice =
        choose(
            "",
            "config.json",
            "tokenizer.json",
            "tokenizer.model",
            "chat_template.jinja",
            "vocab.txt",
            "modules.json",
            "1_Pooling/config.json",
            "model.safetensors",
            "model-Q8_0.gguf",
            "pytorch_model.bin",
            "modeling_custom.py",
            "onnx/model.onnx",
            "onnx/config.json",
            "runs/2020/model.safetensors",
            "README.md");
    assertThat(paths(choice))
        .containsExactly(
            "config.json",
            "tokenizer.json",
            "tokenizer.model",
            "chat_template.jinja",
            "vocab.txt",
            "modules.json",
            "1_Pooling/config.json",
            "model.safetensors");
    assertThat(choice.path()).isEmpty();
    assertThat(choice.bytes()).isEqualTo(80);
  }

  @Test
  void shardsComeAllOrNotAtAll() {
    assertThat(
            paths(
                choose(
                    "",
                    "config.json",
                    "consolidated.safetensors",
                    "model-00001-of-00002.safetensors",
                    "model-00002-of-00002.safetensors",
                    "model.safetensors.index.json")))
        .containsExactly(
            "config.json",
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors");
    assertRefuses(
        "1 of 2 parts",
        "",
        "config.json",
        "model-00001-of-00002.safetensors",
        "model.safetensors.index.json");
  }

  @Test
  void aGgufRepositoryGivesOneFileAndSaysWhich() {
    Choice choice =
        choose("", "a-Q2_K.gguf", "a-Q4_K_M.gguf", "a-Q8_0.gguf", "mmproj-a-Q4_K_M.gguf");
    assertThat(choice.path()).isEqualTo("a-Q4_K_M.gguf");
    assertThat(choice.note()).hasValueSatisfying(note -> assertThat(note).contains("Q4_K_M"));
    assertThat(choose("", "a.Q8_0.gguf", "a.f16.gguf").path()).isEqualTo("a.Q8_0.gguf");
    assertThat(choose("", "z-IQ1_S.gguf").path()).isEqualTo("z-IQ1_S.gguf");
    assertThat(choose("a-Q2_K.gguf", "a-Q2_K.gguf", "a-Q8_0.gguf").path()).isEqualTo("a-Q2_K.gguf");
  }

  @Test
  void aFolderIsAModelOfItsOwn() {
    Choice choice = choose("small", "small/config.json", "small/model.safetensors", "config.json");
    assertThat(choice.path()).isEqualTo("small");
    assertThat(paths(choice)).containsExactly("small/config.json", "small/model.safetensors");
  }

  @Test
  void whatIsNoModelIsRefusedWithTheReason() {
    assertRefuses("pickled", "", "config.json", "pytorch_model.bin");
    assertRefuses("no .safetensors and no .gguf", "", "config.json");
    assertRefuses("there is no absent.gguf", "absent.gguf", "a.gguf");
    assertRefuses("alone is not a model", "config.json", "config.json");
    assertRefuses("split GGUF", "", "a-Q4_K_M-00001-of-00002.gguf", "a-Q4_K_M-00002-of-00002.gguf");
    assertRefuses("several .safetensors", "", "a.safetensors", "b.safetensors");
  }
}
