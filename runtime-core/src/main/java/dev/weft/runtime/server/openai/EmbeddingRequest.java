package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// The body of `POST /v1/embeddings`.
///
/// @param dimensions what the request expects; only the model's own can be had
public record EmbeddingRequest(
    Optional<String> model, List<TextInput> inputs, Encoding encoding, OptionalInt dimensions) {
  static final int MAX_INPUTS = 2_048;

  public EmbeddingRequest {
    inputs = List.copyOf(inputs);
  }

  /// How vectors are written.
  public enum Encoding {
    /// A list of numbers.
    FLOAT,
    /// The little-endian float32 bytes in base64.
    BASE64
  }

  public static EmbeddingRequest parse(ObjectNode body) {
    Parameters parameters = Parameters.of(body);
    Optional<String> model = parameters.string("model");
    List<TextInput> inputs = TextInput.take("input", parameters.required("input"), MAX_INPUTS);
    for (TextInput input : inputs) {
      if (input instanceof TextInput.Text(String text) && text.isEmpty()) {
        throw ApiError.invalid(
            "input", "empty_string", "Invalid 'input': input cannot be an empty string.");
      }
    }
    Encoding encoding = encoding(parameters.string("encoding_format").orElse("float"));
    OptionalInt dimensions = parameters.smallInteger("dimensions", 1, Integer.MAX_VALUE);
    parameters.harmless("user");
    parameters.refuseOthers();
    return new EmbeddingRequest(model, inputs, encoding, dimensions);
  }

  private static Encoding encoding(String format) {
    return switch (format) {
      case "float" -> Encoding.FLOAT;
      case "base64" -> Encoding.BASE64;
      default ->
          throw ApiError.invalid(
              "encoding_format",
              "invalid_value",
              "Invalid value for 'encoding_format'. Supported values are: 'float' and 'base64'.");
    };
  }
}
