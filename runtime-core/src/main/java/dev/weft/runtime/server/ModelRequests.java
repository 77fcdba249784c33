package dev.weft.runtime.server;

import dev.weft.functions.ModelName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.instance.InstanceManager;
import dev.weft.runtime.instance.Lease;
import dev.weft.runtime.instance.Lookup;
import dev.weft.runtime.instance.ServingModel;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiError.Category;
import dev.weft.runtime.server.openai.ApiException;
import dev.weft.runtime.server.openai.TextInput;
import java.util.Optional;

/// Finds the model that a request is for, and turns its texts into tokens.
final class ModelRequests {
  private static final int MAX_NAME_SHOWN = 100;

  private final InstanceManager instances;

  ModelRequests(InstanceManager instances) {
    this.instances = instances;
  }

  /// A lease of the model that the headers name, or else the body; the caller closes it. Throws
  /// what the client is to be told when there is none.
  Lease acquire(Call call, Optional<String> model) {
    String name =
        call.header(ControlApi.FUNCTION_HEADER)
            .or(() -> model)
            .orElseThrow(() ->
                ApiError.invalid(
                    "model", "missing_required_parameter", "Missing required parameter: 'model'."));
    // What cannot be a name is no function's.
    ModelName function =
        ModelName.parse(name)
            .orElseThrow(() -> new ApiException(ErrorMapping.unknownModel(shown(name))));
    Optional<RevisionId> revision = call.header(ControlApi.REVISION_HEADER).map(this::revision);
    return switch (instances.acquire(function, revision)) {
      case Lookup.Serving(Lease lease) -> lease;
      case Lookup.NotReady(var status) -> throw new ApiException(ErrorMapping.notReady(status));
      case Lookup.Draining() -> throw new ApiException(ErrorMapping.draining());
      // Who names a revision knows that it exists: here it is only not loaded any more.
      case Lookup.Unknown() ->
          throw new ApiException(
              revision.isPresent()
                  ? ErrorMapping.notLoaded(name)
                  : ErrorMapping.unknownModel(name));
    };
  }

  /// Tokens of one text, checked against the model's vocabulary.
  ///
  /// @param special whether special tokens that are written in the text become themselves: a
  ///   completion's prompt is the caller's own template, a text to embed is only text
  static int[] tokens(ServingModel.Common model, TextInput input, String param, boolean special) {
    int[] tokens =
        switch (input) {
          case TextInput.Text(String text) -> model.tokenizer().encode(text, true, special);
          case TextInput.Tokens(int[] given) -> checked(model, given, param);
        };
    if (tokens.length == 0) {
      throw ApiError.invalid(
          param, "empty_string", "Invalid '%s': it has no tokens.".formatted(param));
    }
    return tokens;
  }

  static ApiException tooLong(int tokens, int contextLength, String param) {
    return ApiError.invalid(
        param,
        "context_length_exceeded",
        "This model's maximum context length is %d tokens. However, your messages resulted in %d tokens. Please reduce the length of the messages."
            .formatted(contextLength, tokens));
  }

  static ApiException wrongKind(String function, String does) {
    return new ApiException(
        ApiError.of(
            Category.INVALID,
            "The model '%s' %s.".formatted(function, does),
            "model",
            "unsupported_operation"));
  }

  private static int[] checked(ServingModel.Common model, int[] tokens, String param) {
    int vocabulary = model.tokenizer().vocabularySize();
    for (int token : tokens) {
      if (token < 0 || token >= vocabulary) {
        throw ApiError.invalid(
            param,
            "invalid_value",
            "Invalid '%s': %d is not a token of this model, whose vocabulary has %d."
                .formatted(param, token, vocabulary));
      }
    }
    return tokens;
  }

  private RevisionId revision(String text) {
    try {
      return RevisionId.parse(text);
    } catch (IllegalArgumentException e) {
      throw ApiError.invalid(
          ControlApi.REVISION_HEADER,
          "invalid_header",
          "The header '%s' is not a revision.".formatted(ControlApi.REVISION_HEADER));
    }
  }

  private static String shown(String name) {
    return name.length() <= MAX_NAME_SHOWN ? name : name.substring(0, MAX_NAME_SHOWN) + "...";
  }
}
