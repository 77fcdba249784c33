package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The methods of Python's strings, dicts and lists that templates use. Those that change their
/// object are refused, as in Jinja2's immutable sandbox.
final class Methods {
  private static final Set<String> CHANGING =
      Set.of(
          "append",
          "extend",
          "insert",
          "pop",
          "remove",
          "reverse",
          "sort",
          "clear",
          "update",
          "setdefault",
          "popitem");

  private final Operators operators;
  private final StringMethods strings;

  Methods(Budget budget, Operators operators) {
    this.operators = operators;
    this.strings = new StringMethods(budget, operators);
  }

  /// The method bound to its object, or null when there is none of that name.
  @Nullable Value find(Value object, String name) {
    return switch (object) {
      case Text text -> strings.find(text, name);
      case Value.Mapping mapping -> mapping(mapping, name);
      case Sequence sequence -> sequence(sequence, name);
      default -> null;
    };
  }

  private static @Nullable Value mapping(Value.Mapping mapping, String name) {
    Map<Value, Value> entries = mapping.entries();
    return switch (name) {
      case "items" -> method(name, _ -> Sequence.list(mapping.items()));
      case "keys" -> method(name, _ -> Sequence.list(mapping.keys()));
      case "values" -> method(name, _ -> Sequence.list(List.copyOf(entries.values())));
      case "copy" -> method(name, _ -> mapping);
      case "get" ->
          method(
              name,
              arguments -> {
                Value value = entries.get(Operators.key(arguments.required(0, "key")));
                return value != null ? value : arguments.get(1, "default", Value.None.NONE);
              });
      default -> changing(mapping, name);
    };
  }

  private @Nullable Value sequence(Sequence sequence, String name) {
    return switch (name) {
      case "index" ->
          method(name, arguments -> Value.of(indexOf(sequence, arguments.required(0, "value"))));
      case "count" ->
          method(
              name,
              arguments -> {
                Value wanted = arguments.required(0, "value");
                return Value.of(
                    sequence.items().stream()
                        .filter(item -> operators.equal(item, wanted))
                        .count());
              });
      case "copy" -> method(name, _ -> sequence);
      default -> changing(sequence, name);
    };
  }

  private int indexOf(Sequence sequence, Value wanted) {
    for (int i = 0; i < sequence.items().size(); i++) {
      if (operators.equal(sequence.items().get(i), wanted)) {
        return i;
      }
    }
    throw new ChatTemplateException("'index' finds no such value in the list.");
  }

  private static @Nullable Value changing(Value object, String name) {
    if (!CHANGING.contains(name)) {
      return null;
    }
    return method(
        name,
        _ -> {
          throw new ChatTemplateException(
              "'%s' would change %s, which is not allowed."
                  .formatted(name, Members.described(object)));
        });
  }

  static Value method(String name, Value.Callable.Body body) {
    return new Value.Callable(name, body);
  }
}
