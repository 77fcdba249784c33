package dev.weft.runtime.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.runtime.tokenizer.TokenizerSource;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.SafetensorsWeights;
import dev.weft.runtime.weights.SourceFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// Opens a directory in the layout of transformers and sentence-transformers.
final class HuggingFaceModel {
  private static final long TEMPLATE_BYTES_MAX = 4 << 20;
  private static final String CONFIG = "config.json";
  private static final String TOKENIZER_CONFIG = "tokenizer_config.json";

  private final Path directory;

  HuggingFaceModel(Path directory) {
    this.directory = directory;
  }

  /// @param safetensors the file or the index
  ModelPackage open(Path safetensors) {
    JsonConfig config = JsonConfig.read(required(CONFIG, "the model's settings are missing"));
    Family family = family(config);
    refuseQuantized(config);
    Path tokenizer =
        required(
            "tokenizer.json",
            "only tokenizers in this format are supported; save it with"
                + " AutoTokenizer.from_pretrained(...).save_pretrained(...)");
    SafetensorsWeights files = SafetensorsWeights.open(safetensors);
    try {
      String fileName = String.valueOf(safetensors.getFileName());
      RenamedWeights weights = new RenamedWeights(fileName, files, family.names());
      ConfigReader reader = new ConfigReader(config);
      ModelSpec spec = family.spec().apply(new ModelInput(reader, weights, Optional.of(directory)));
      TensorRequirement.check(
          fileName, family.tensors().apply(spec), weights, unreadable(files, family.names()));
      TokenizerSource.Json source = tokenizer(tokenizer);
      return new ModelPackage(spec, weights, () -> source, vocabularyFiles(source), chatTemplate());
    } catch (RuntimeException e) {
      files.close();
      throw e;
    }
  }

  private static Family family(JsonConfig config) {
    ConfigReader reader = new ConfigReader(config);
    JsonNode architectures =
        config
            .node("architectures")
            .orElseThrow(() -> reader.failure("'architectures' is missing"));
    String architecture = architectures.path(0).asText();
    return Families.ofArchitecture(architecture)
        .orElseThrow(() ->
            reader.failure(
                "the architecture '%s' is not known; known are %s"
                    .formatted(
                        architecture,
                        Families.known(family -> Optional.of(family.architecture())))));
  }

  private static void refuseQuantized(JsonConfig config) {
    Optional<JsonConfig> quantization = config.child("quantization_config");
    if (quantization.isPresent()) {
      throw new ConfigReader(config)
          .failure(
              "the checkpoint is quantised by '%s', which is not supported; take the original or a GGUF"
                  .formatted(quantization.get().string("quant_method").orElse("?")));
    }
  }

  private static Map<String, String> unreadable(SafetensorsWeights files, NameTable names) {
    Map<String, String> result = new HashMap<>();
    files
        .unsupported()
        .forEach((name, type) -> result.put(names.translate(name).orElse(name), type));
    return result;
  }

  private TokenizerSource.Json tokenizer(Path tokenizerJson) {
    return new TokenizerSource.Json(
        tokenizerJson, optional(TOKENIZER_CONFIG), optional("generation_config.json"));
  }

  /// All of them, or none when one cannot be told from others.
  private static List<SourceFile> vocabularyFiles(TokenizerSource.Json source) {
    List<Path> paths =
        Stream.of(
                Optional.of(source.tokenizerJson()),
                source.tokenizerConfig(),
                source.generationConfig())
            .flatMap(Optional::stream)
            .toList();
    List<SourceFile> files = paths.stream().flatMap(path -> SourceFile.of(path).stream()).toList();
    return files.size() == paths.size() ? files : List.of();
  }

  /// `chat_template.jinja`, or else what `tokenizer_config.json` holds: one template or several
  /// with names, of which the one named `default` is meant.
  private Optional<String> chatTemplate() {
    Optional<Path> file = optional("chat_template.jinja");
    if (file.isPresent()) {
      return Optional.of(readText(file.get()));
    }
    Optional<JsonNode> template =
        optional(TOKENIZER_CONFIG).flatMap(path -> JsonConfig.read(path).node("chat_template"));
    if (template.isEmpty() || template.get().isTextual()) {
      return template.map(JsonNode::textValue);
    }
    for (JsonNode named : template.get()) {
      if (named.path("name").asText().equals("default")) {
        return Optional.of(named.path("template").asText());
      }
    }
    throw new ModelFormatException(
        TOKENIZER_CONFIG + ": 'chat_template' is neither a string nor has a template 'default'");
  }

  private static String readText(Path file) {
    try {
      if (Files.size(file) > TEMPLATE_BYTES_MAX) {
        throw new ModelFormatException(
            "%s: the file has more than %d bytes"
                .formatted(file.getFileName(), TEMPLATE_BYTES_MAX));
      }
      return Files.readString(file);
    } catch (IOException e) {
      throw new ModelFormatException(
          "%s: the file cannot be read (%s)"
              .formatted(file.getFileName(), e.getClass().getSimpleName()),
          e);
    }
  }

  private Path required(String name, String reason) {
    return optional(name)
        .orElseThrow(() -> new ModelFormatException("there is no %s: %s".formatted(name, reason)));
  }

  private Optional<Path> optional(String name) {
    Path file = directory.resolve(name);
    return Files.isRegularFile(file) ? Optional.of(file) : Optional.empty();
  }
}
