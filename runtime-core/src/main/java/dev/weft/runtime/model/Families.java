package dev.weft.runtime.model;

import dev.weft.runtime.model.LlamaFamily.Defaults;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/// The families of models that are known.
final class Families {
  static final List<Family> ALL =
      List.of(
          new Family(
              "llama",
              "LlamaForCausalLM",
              Optional.of("llama"),
              LlamaFamily.NAMES,
              input -> LlamaFamily.spec("llama", input, Defaults.LLAMA),
              LlamaFamily::tensors),
          new Family(
              "mistral",
              "MistralForCausalLM",
              Optional.empty(),
              LlamaFamily.NAMES,
              input -> LlamaFamily.spec("mistral", input, Defaults.MISTRAL),
              LlamaFamily::tensors),
          new Family(
              "qwen2",
              "Qwen2ForCausalLM",
              Optional.of("qwen2"),
              LlamaFamily.NAMES,
              input -> LlamaFamily.spec("qwen2", input, Defaults.QWEN2),
              LlamaFamily::tensors),
          new Family(
              "bert",
              "BertModel",
              Optional.of("bert"),
              BertFamily.NAMES,
              input -> BertFamily.spec("bert", input),
              BertFamily::tensors));

  private Families() {}

  /// The family of a class named in `config.json`.
  static Optional<Family> ofArchitecture(String architecture) {
    return ALL.stream().filter(family -> family.architecture().equals(architecture)).findFirst();
  }

  /// The family of a GGUF file's `general.architecture`.
  static Optional<Family> ofGgufArchitecture(String architecture) {
    return ALL.stream()
        .filter(family -> family.ggufArchitecture().equals(Optional.of(architecture)))
        .findFirst();
  }

  /// For messages: every known value of what `name` reads.
  static String known(Function<Family, Optional<String>> name) {
    return ALL.stream()
        .flatMap(family -> name.apply(family).stream())
        .collect(Collectors.joining(", "));
  }
}
