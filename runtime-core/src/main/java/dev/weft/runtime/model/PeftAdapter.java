package dev.weft.runtime.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.runtime.model.AdapterFiles.Matrices;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.SafetensorsFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// An adapter as PEFT's `save_pretrained` writes it.
final class PeftAdapter {
  private static final String WEIGHTS = "adapter_model.safetensors";
  private static final double ALPHA_MAX = 1e6;

  /// `base_model.model.` and the name of the changed module; some savers keep the adapter's name.
  private static final Pattern NAME =
      Pattern.compile("base_model\\.model\\.(.+)\\.lora_([AB])(\\.default)?\\.weight");

  /// Settings that would change what is computed, each with the values that do not.
  private static final List<Setting> NOT_SUPPORTED =
      List.of(
          new Setting("use_dora", "DoRA"),
          new Setting("lora_bias", "biases of its own"),
          new Setting("fan_in_fan_out", "transposed weights"),
          new Setting("modules_to_save", "whole modules of its own"),
          new Setting("trainable_token_indices", "tokens of its own"),
          new Setting("layer_replication", "repeated layers"),
          new Setting("rank_pattern", "another rank for some modules"),
          new Setting("alpha_pattern", "another alpha for some modules"),
          new Setting("target_parameters", "parameters outside of linear modules"),
          new Setting("alora_invocation_tokens", "an activation by tokens"),
          new Setting("use_qalora", "QALoRA"));

  /// Ways to begin training that leave the base as it is; the others save an adapter of a changed
  /// base.
  private static final Set<String> INITIALISATIONS = Set.of("gaussian", "eva", "orthogonal");

  private PeftAdapter() {}

  /// @param what it stands for, for people
  private record Setting(String name, String what) {}

  static AdapterPackage open(Path directory, Path configFile, DecoderSpec base) {
    JsonConfig json = JsonConfig.read(configFile);
    ConfigReader config = new ConfigReader(json);
    int rank = rank(json, config);
    double scale = scale(json, config, rank);
    Path file = directory.resolve(WEIGHTS);
    if (!Files.isRegularFile(file)) {
      throw new ModelFormatException(
          Files.isRegularFile(directory.resolve("adapter_model.bin"))
              ? "adapter_model.bin: this format can run code when it is read, so Weft does not; save"
                  + " the adapter with save_pretrained(..., safe_serialization=True)"
              : "there is no %s beside the %s".formatted(WEIGHTS, json.fileName()));
    }
    SafetensorsFile weights = SafetensorsFile.open(file);
    try {
      return new AdapterPackage(matrices(weights, rank).fit(base, false, _ -> scale), weights);
    } catch (RuntimeException e) {
      weights.close();
      throw e;
    }
  }

  private static int rank(JsonConfig json, ConfigReader config) {
    String type = json.string("peft_type").orElse("");
    if (!type.equals("LORA")) {
      throw config.failure("'peft_type' is '%s'; only LORA is supported".formatted(type));
    }
    for (Setting setting : NOT_SUPPORTED) {
      if (isSet(json, setting.name())) {
        throw config.failure(
            "'%s' is set, and %s is not supported".formatted(setting.name(), setting.what()));
      }
    }
    String bias = json.string("bias").orElse("none");
    if (!bias.equals("none")) {
      throw config.failure("'bias' is '%s'; only 'none' is supported".formatted(bias));
    }
    refuseOtherBases(json, config);
    return config
        .optionalCount(new ConfigKey("r", ""), AdapterWeights.MAX_RANK)
        .orElseThrow(() -> config.failure("'r' is missing"));
  }

  private static void refuseOtherBases(JsonConfig json, ConfigReader config) {
    JsonNode how = json.node("init_lora_weights").orElse(null);
    if (how != null && !how.isBoolean() && !INITIALISATIONS.contains(how.asText())) {
      throw config.failure(
          "'init_lora_weights' is '%s', which changes the base; convert the adapter when saving it"
              .formatted(how.asText()));
    }
  }

  private static double scale(JsonConfig json, ConfigReader config, int rank) {
    double alpha =
        config
            .optionalPositive("lora_alpha", ALPHA_MAX)
            .orElseThrow(() -> config.failure("'lora_alpha' is missing"));
    boolean stabilised = json.bool("use_rslora").orElse(false);
    return alpha / (stabilised ? Math.sqrt(rank) : rank);
  }

  /// Whether a setting says more than no, nothing or none.
  private static boolean isSet(JsonConfig json, String name) {
    return json.node(name)
        .filter(
            node -> node.isBoolean() ? node.booleanValue() : !node.isEmpty() || node.isValueNode())
        .isPresent();
  }

  private static Matrices matrices(SafetensorsFile weights, int rank) {
    Matrices matrices = new Matrices(weights.fileName());
    weights
        .unsupported()
        .forEach((name, type) -> {
          throw matrices.failure(
              "tensor '%s' has type %s; F32, F16 and BF16 are supported".formatted(name, type));
        });
    for (String name : weights.names()) {
      Matcher matcher = NAME.matcher(name);
      if (!matcher.matches()) {
        throw matrices.noPlace(name);
      }
      String weight =
          LlamaFamily.NAMES
              .translate(matcher.group(1) + ".weight")
              .orElseThrow(() -> matrices.noPlace(name));
      Tensor tensor = weights.tensor(name);
      if (matcher.group(2).equals("A")) {
        requireRank(matrices, tensor, rank);
        matrices.addA(weight, tensor);
      } else {
        matrices.addB(weight, tensor);
      }
    }
    return matrices;
  }

  private static void requireRank(Matrices matrices, Tensor a, int rank) {
    if (a.shape().rank() != 2 || a.shape().dimension(0) != rank) {
      throw matrices.failure(
          "tensor '%s' has shape %s; the configuration says a rank of %d"
              .formatted(a.name(), a.shape(), rank));
    }
  }
}
