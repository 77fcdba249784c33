package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// All that a template can hold.
sealed interface Value
    permits Text,
        Value.Int,
        Value.Real,
        Value.Bool,
        Value.None,
        Value.Undefined,
        Value.Sequence,
        Value.Mapping,
        Value.Namespace,
        Value.Loop,
        Value.Callable {
  static Value of(boolean value) {
    return value ? Bool.TRUE : Bool.FALSE;
  }

  static Value of(long value) {
    return new Int(value);
  }

  record Int(long value) implements Value {}

  record Real(double value) implements Value {}

  record Bool(boolean value) implements Value {
    static final Bool TRUE = new Bool(true);
    static final Bool FALSE = new Bool(false);
  }

  /// Python's `None`.
  enum None implements Value {
    NONE
  }

  /// A name or member that is not there. It prints as nothing and is false; anything more is an
  /// error that names it.
  record Undefined(String name) implements Value {}

  /// A list, or a tuple, which only prints differently.
  record Sequence(List<Value> items, boolean tuple) implements Value {
    static Sequence list(List<Value> items) {
      return new Sequence(items, false);
    }

    static Sequence tuple(Value... items) {
      return new Sequence(List.of(items), true);
    }
  }

  /// A dictionary in the order of insertion.
  record Mapping(Map<Value, Value> entries) implements Value {
    List<Value> keys() {
      return new ArrayList<>(entries.keySet());
    }

    List<Value> items() {
      List<Value> items = new ArrayList<>(entries.size());
      entries.forEach((key, value) -> items.add(Sequence.tuple(key, value)));
      return items;
    }

    @Nullable Value get(String key) {
      return entries.get(Text.trusted(key));
    }
  }

  /// The one thing that a template can change: what `namespace()` gives.
  record Namespace(Map<String, Value> members) implements Value {}

  /// What `loop` is inside a `for`.
  record Loop(List<Value> items, int index) implements Value {}

  /// A macro, a method with its object, or a function that the runtime gives.
  record Callable(String name, Body body) implements Value {
    interface Body {
      Value call(Arguments arguments);
    }
  }

  /// Plain Java values as template values; their strings are the caller's.
  ///
  /// @throws ChatTemplateException for what JSON could not hold, or is nested too deeply
  static Value untrusted(@Nullable Object value) {
    return untrusted(value, 0);
  }

  private static Value untrusted(@Nullable Object value, int depth) {
    if (depth > TemplateLimits.VALUE_DEPTH) {
      throw new ChatTemplateException("The messages are nested too deeply.");
    }
    return switch (value) {
      case null -> None.NONE;
      case String string -> Text.untrusted(string);
      case Boolean bool -> of(bool);
      case Integer number -> new Int(number);
      case Long number -> new Int(number);
      case Number number -> new Real(number.doubleValue());
      case List<?> list -> {
        List<Value> items = new ArrayList<>(list.size());
        list.forEach(item -> items.add(untrusted(item, depth + 1)));
        yield Sequence.list(items);
      }
      case Map<?, ?> map -> {
        Map<Value, Value> entries = new LinkedHashMap<>();
        map.forEach((key, item) ->
            entries.put(Text.untrusted(String.valueOf(key)), untrusted(item, depth + 1)));
        yield new Mapping(entries);
      }
      default ->
          throw new ChatTemplateException(
              "A chat template takes no " + value.getClass().getSimpleName() + ".");
    };
  }

  /// Python's name of the value's type.
  default String typeName() {
    return switch (this) {
      case Text _ -> "str";
      case Int _ -> "int";
      case Real _ -> "float";
      case Bool _ -> "bool";
      case None _ -> "NoneType";
      case Undefined _ -> "undefined";
      case Sequence sequence -> sequence.tuple() ? "tuple" : "list";
      case Mapping _ -> "dict";
      case Namespace _ -> "namespace";
      case Loop _ -> "loop";
      case Callable _ -> "function";
    };
  }
}
