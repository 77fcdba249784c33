package dev.weft.runtime.model;

import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/// Scaling of rotary positions, as one factor a pair by which its frequency is divided (see
/// [DecoderSpec.Rope]). An empty list is no scaling.
final class RopeScaling {
  private static final ConfigKey GGUF_TYPE = new ConfigKey("", "rope.scaling.type");
  private static final ConfigKey GGUF_FACTOR = new ConfigKey("", "rope.scaling.factor");
  private static final ConfigKey GGUF_LINEAR = new ConfigKey("", "rope.scale_linear");
  private static final String GGUF_FACTORS = "rope_freqs.weight";

  private RopeScaling() {}

  /// The factors of a GGUF file: its tensor `rope_freqs.weight`, its linear scaling, or both.
  static List<Float> gguf(ModelInput input, int dimensions) {
    ConfigReader config = input.config();
    String type = config.string(GGUF_TYPE).orElse("none");
    if (!type.equals("none") && !type.equals("linear")) {
      throw unsupported(config, type);
    }
    float linear = type.equals("linear") ? (float) ggufFactor(config) : 1;
    Optional<Tensor> tensor = input.weights().find(GGUF_FACTORS);
    if (tensor.isEmpty()) {
      return linear == 1 ? List.of() : Collections.nCopies(dimensions / 2, linear);
    }
    if (tensor.get().shape().elementCount() != dimensions / 2) {
      throw config.failure(
          "tensor '%s' has shape %s; %d factors are needed"
              .formatted(GGUF_FACTORS, tensor.get().shape(), dimensions / 2));
    }
    List<Float> factors = new ArrayList<>();
    for (float factor : Dequantizer.all(tensor.get())) {
      if (!(factor > 0 && factor <= Bounds.SCALING_FACTOR)) {
        throw config.failure("tensor '%s' holds the factor %s".formatted(GGUF_FACTORS, factor));
      }
      factors.add(factor * linear);
    }
    return factors;
  }

  /// The factors of a `config.json`, from its `rope_scaling` or, as newer ones name it,
  /// `rope_parameters`.
  static List<Float> huggingFace(Optional<JsonConfig> scaling, double theta, int dimensions) {
    if (scaling.isEmpty()) {
      return List.of();
    }
    ConfigReader config = new ConfigReader(scaling.get());
    String type =
        scaling
            .get()
            .string("rope_type")
            .or(() -> scaling.get().string("type"))
            .orElseThrow(() -> config.failure("the rope scaling names no 'rope_type'"));
    return switch (type) {
      case "default" -> List.of();
      case "linear" -> Collections.nCopies(dimensions / 2, (float) required(config, "factor"));
      case "llama3" -> llama3(config, theta, dimensions);
      default -> throw unsupported(config, type);
    };
  }

  /// Llama 3's: long waves are stretched by `factor`, short ones are not, and those between are
  /// interpolated. As in transformers' `_compute_llama3_parameters`.
  private static List<Float> llama3(ConfigReader config, double theta, int dimensions) {
    double factor = required(config, "factor");
    double lowFactor = required(config, "low_freq_factor");
    double highFactor = required(config, "high_freq_factor");
    double context = required(config, "original_max_position_embeddings");
    if (lowFactor >= highFactor) {
      throw config.failure(
          "the rope scaling's low_freq_factor %s is not below its high_freq_factor %s"
              .formatted(lowFactor, highFactor));
    }
    List<Float> factors = new ArrayList<>();
    for (int pair = 0; pair < dimensions / 2; pair++) {
      double wavelength = 2 * Math.PI * Math.pow(theta, 2.0 * pair / dimensions);
      double smooth = (context / wavelength - lowFactor) / (highFactor - lowFactor);
      double clamped = Math.clamp(smooth, 0.0, 1.0);
      factors.add((float) (1 / ((1 - clamped) / factor + clamped)));
    }
    return factors;
  }

  private static double ggufFactor(ConfigReader config) {
    return config
        .optionalPositive(config.source().name(GGUF_FACTOR), Bounds.SCALING_FACTOR)
        .orElseGet(() ->
            config
                .optionalPositive(config.source().name(GGUF_LINEAR), Bounds.SCALING_FACTOR)
                .orElseThrow(() -> config.missing(GGUF_FACTOR)));
  }

  private static double required(ConfigReader config, String name) {
    OptionalDouble value = config.optionalPositive(name, Bounds.CONTEXT);
    return value.orElseThrow(() -> config.failure("the rope scaling has no '%s'".formatted(name)));
  }

  private static RuntimeException unsupported(ConfigReader config, String type) {
    return config.failure(
        "the rope scaling '%s' is not supported; linear and llama3 are".formatted(type));
  }
}
