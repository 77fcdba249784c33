package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a function, filter or test is called with.
record Arguments(List<Value> positional, Map<String, Value> named) {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  /// The argument at a position or under a name, or null.
  @Nullable Value find(int position, String name) {
    return position < positional.size() ? positional.get(position) : named.get(name);
  }

  Value get(int position, String name, Value otherwise) {
    Value value = find(position, name);
    return value == null ? otherwise : value;
  }

  Value required(int position, String name) {
    Value value = find(position, name);
    if (value == null) {
      throw new ChatTemplateException("The argument '" + name + "' is missing.");
    }
    return value;
  }

  String string(int position, String name, String otherwise) {
    Value value = find(position, name);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof Text text) {
      return text.string();
    }
    throw new ChatTemplateException(
        "The argument '" + name + "' must be a string, not " + value.typeName() + ".");
  }

  int integer(int position, String name, int otherwise) {
    Value value = find(position, name);
    if (value == null || value instanceof Value.None) {
      return otherwise;
    }
    if (value instanceof Value.Int number) {
      return Math.clamp(number.value(), Integer.MIN_VALUE, Integer.MAX_VALUE);
    }
    throw new ChatTemplateException(
        "The argument '" + name + "' must be an integer, not " + value.typeName() + ".");
  }

  boolean flag(int position, String name, boolean otherwise) {
    Value value = find(position, name);
    return value == null ? otherwise : Operators.isTrue(value);
  }

  /// The same with one more under a name.
  Arguments with(String name, Value value) {
    Map<String, Value> more = new LinkedHashMap<>(named);
    more.put(name, value);
    return new Arguments(positional, more);
  }

  /// The arguments after the first ones.
  Arguments from(int position) {
    return new Arguments(
        positional.subList(Math.min(position, positional.size()), positional.size()), named);
  }
}
