package dev.weft.runtime.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.runtime.weights.BoundedJson;
import dev.weft.runtime.weights.ModelFormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/// What a directory of sentence-transformers says beyond the encoder: how token vectors become the
/// text's, and how long a text may be.
///
/// @param contextLength tokens of the longest text
record SentencePooling(EncoderSpec.Pooling pooling, boolean normalize, int contextLength) {
  private static final long MODULES_BYTES_MAX = 1 << 20;
  private static final int MODULES_MAX = 16;
  private static final String MODULES = "modules.json";
  private static final Pattern PLAIN_NAME = Pattern.compile("\\w[\\w.-]*");
  private static final ConfigKey LENGTH = new ConfigKey("max_seq_length", "");

  /// Reads `modules.json` and what it points to. Without it, vectors are the mean and are not
  /// normalised, which is what sentence-transformers makes of a plain encoder.
  static SentencePooling read(Path directory, int context) {
    int length = contextLength(directory, context);
    Path modules = directory.resolve(MODULES);
    if (!Files.exists(modules)) {
      return new SentencePooling(EncoderSpec.Pooling.MEAN, false, length);
    }
    EncoderSpec.Pooling pooling = null;
    boolean normalize = false;
    for (JsonNode module : modules(modules)) {
      String type = module.path("type").asText();
      switch (type.substring(type.lastIndexOf('.') + 1)) {
        case "Transformer" -> {}
        case "Pooling" -> pooling = pooling(directory, module.path("path").asText());
        case "Normalize" -> normalize = true;
        default ->
            throw failure(
                MODULES,
                "the module '%s' is not supported; Transformer, Pooling and Normalize are"
                    .formatted(type));
      }
    }
    if (pooling == null) {
      throw failure(MODULES, "there is no Pooling module");
    }
    return new SentencePooling(pooling, normalize, length);
  }

  private static int contextLength(Path directory, int context) {
    Path file = directory.resolve("sentence_bert_config.json");
    if (!Files.exists(file)) {
      return context;
    }
    ConfigReader config = new ConfigReader(JsonConfig.read(file));
    return Math.min(context, config.count(LENGTH, Bounds.CONTEXT, context));
  }

  private static List<JsonNode> modules(Path file) {
    JsonNode modules = BoundedJson.read(file, MODULES_BYTES_MAX);
    if (!modules.isArray() || modules.size() > MODULES_MAX) {
      throw failure(MODULES, "it is not an array of at most %d modules".formatted(MODULES_MAX));
    }
    List<JsonNode> result = new ArrayList<>();
    modules.forEach(result::add);
    return result;
  }

  private static EncoderSpec.Pooling pooling(Path directory, String path) {
    if (!PLAIN_NAME.matcher(path).matches()) {
      throw failure(MODULES, "the path '%s' is not the plain name of a directory".formatted(path));
    }
    JsonConfig config = JsonConfig.read(directory.resolve(path).resolve("config.json"));
    List<String> modes = modes(config);
    if (modes.size() != 1) {
      throw failure(config.fileName(), "the pooling must have one mode and has " + modes);
    }
    return switch (modes.getFirst()) {
      case "mean", "mean_tokens" -> EncoderSpec.Pooling.MEAN;
      case "cls", "cls_token" -> EncoderSpec.Pooling.CLS;
      default ->
          throw failure(
              config.fileName(),
              "the pooling mode '%s' is not supported; mean and cls are"
                  .formatted(modes.getFirst()));
    };
  }

  /// Modes are flags `pooling_mode_<mode>`, or, in newer files, one string `pooling_mode`.
  private static List<String> modes(JsonConfig config) {
    Optional<String> single = config.string("pooling_mode");
    if (single.isPresent()) {
      return List.of(single.get());
    }
    String prefix = "pooling_mode_";
    return config.object().properties().stream()
        .filter(entry -> entry.getKey().startsWith(prefix) && entry.getValue().asBoolean())
        .map(entry -> entry.getKey().substring(prefix.length()))
        .toList();
  }

  private static ModelFormatException failure(String file, String reason) {
    return new ModelFormatException("%s: %s".formatted(file, reason));
  }
}
