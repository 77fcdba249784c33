package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/// A text of a completion or embedding request: as text, or as the tokens of it.
public sealed interface TextInput {
  record Text(String text) implements TextInput {}

  @SuppressWarnings("ArrayRecordComponent")
  record Tokens(int[] tokens) implements TextInput {}

  /// Reads OpenAI's four forms: a string, a list of strings, a list of token ids, a list of lists
  /// of token ids.
  static List<TextInput> take(String name, JsonNode value, int maxCount) {
    if (value.isTextual()) {
      return List.of(new Text(value.textValue()));
    }
    if (!value.isArray()) {
      throw Parameters.wrongType(
          name, "a string, an array of strings, or an array of token ids", value);
    }
    Parameters.refuseEmpty(name, value);
    if (value.get(0).isNumber()) {
      return List.of(tokens(name, value));
    }
    Parameters.boundCount(name, value, maxCount);
    List<TextInput> inputs = new ArrayList<>();
    for (int i = 0; i < value.size(); i++) {
      JsonNode element = value.get(i);
      String path = "%s[%d]".formatted(name, i);
      inputs.add(
          element.isArray() ? tokens(path, element) : new Text(Parameters.text(path, element)));
    }
    return inputs;
  }

  /// The token ids of a list that is not empty.
  static Tokens tokens(String path, JsonNode array) {
    Parameters.refuseEmpty(path, array);
    int[] tokens = new int[array.size()];
    for (int i = 0; i < tokens.length; i++) {
      JsonNode element = array.get(i);
      if (!element.canConvertToInt() || !element.isIntegralNumber()) {
        throw Parameters.wrongType("%s[%d]".formatted(path, i), "a token id", element);
      }
      tokens[i] = element.intValue();
    }
    return new Tokens(tokens);
  }
}
