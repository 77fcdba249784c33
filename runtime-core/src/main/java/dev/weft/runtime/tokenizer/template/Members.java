package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What `a.b`, `a[b]` and `a[b:c]` mean. There is no way from here to anything but values.
final class Members {
  private final Budget budget;
  private final Methods methods;

  Members(Budget budget, Operators operators) {
    this.budget = budget;
    this.methods = new Methods(budget, operators);
  }

  /// How an error speaks of a value: an undefined one by its name, others by type.
  static String described(Value value) {
    return value instanceof Value.Undefined(String name)
        ? "'" + name + "', which is undefined,"
        : "a value of type " + value.typeName();
  }

  /// `object.name`: methods first, then the entries of a mapping.
  Value member(Value object, String name) {
    return switch (object) {
      case Value.Undefined _ ->
          throw new ChatTemplateException(described(object) + " has no '" + name + "'.");
      case Value.Namespace(Map<String, Value> members) ->
          members.getOrDefault(name, new Value.Undefined(name));
      case Value.Loop loop -> loop(loop, name);
      case Value.Mapping mapping -> {
        Value method = methods.find(object, name);
        yield method != null ? method : entry(mapping, name);
      }
      default -> {
        Value method = methods.find(object, name);
        yield method != null ? method : absent(object, name);
      }
    };
  }

  /// `object[key]`: items and entries first, then methods.
  Value item(Value object, Value key) {
    return switch (object) {
      case Value.Undefined _ ->
          throw new ChatTemplateException(
              described(object) + " has no " + PythonText.repr(key, budget) + ".");
      case Value.Mapping _ when key instanceof Sequence || key instanceof Value.Mapping ->
          undefined(key);
      case Value.Mapping(Map<Value, Value> entries) -> {
        Value value = entries.get(Operators.key(key));
        yield value != null ? value : byName(object, key);
      }
      case Sequence(List<Value> items, _) when Operators.isInteger(key) -> {
        int index = index(Operators.integer(key), items.size());
        yield index < 0 ? undefined(key) : items.get(index);
      }
      case Text text when Operators.isInteger(key) -> {
        budget.work(text.string().length());
        int index = index(Operators.integer(key), text.length());
        yield index < 0 ? undefined(key) : text.letter(index);
      }
      default -> byName(object, key);
    };
  }

  Value slice(Value object, @Nullable Long start, @Nullable Long stop, @Nullable Long step) {
    return switch (object) {
      case Sequence(List<Value> items, boolean tuple) ->
          new Sequence(sliced(items, start, stop, step), tuple);
      case Text text -> {
        budget.work(text.string().length());
        Text.Builder letters = new Text.Builder();
        for (Value letter : sliced(text.letters(), start, stop, step)) {
          letters.append((Text) letter);
        }
        yield letters.build();
      }
      case Value.Undefined undefined -> undefined;
      default -> throw new ChatTemplateException(described(object) + " has no slices.");
    };
  }

  private List<Value> sliced(
      List<Value> items, @Nullable Long start, @Nullable Long stop, @Nullable Long step) {
    long by = step == null ? 1 : step;
    if (by == 0) {
      throw new ChatTemplateException("The step of a slice is zero.");
    }
    long size = items.size();
    long lowest = by > 0 ? 0 : -1;
    long highest = by > 0 ? size : size - 1;
    long from = start == null ? (by > 0 ? lowest : highest) : bound(start, size, lowest, highest);
    long to = stop == null ? (by > 0 ? highest : lowest) : bound(stop, size, lowest, highest);
    List<Value> result = new ArrayList<>();
    for (long i = from; by > 0 ? i < to : i > to; i += Math.clamp(by, -size - 1, size + 1)) {
      budget.step();
      result.add(items.get((int) i));
    }
    return result;
  }

  private static long bound(long index, long size, long lowest, long highest) {
    return Math.clamp(index < 0 ? index + size : index, lowest, highest);
  }

  /// The position that Python's index means, or -1 outside.
  private static int index(long index, int size) {
    long position = index < 0 ? index + size : index;
    return position >= 0 && position < size ? (int) position : -1;
  }

  private Value byName(Value object, Value key) {
    return key instanceof Text name ? absentOrMethod(object, name.string()) : undefined(key);
  }

  private Value absentOrMethod(Value object, String name) {
    return switch (object) {
      case Value.Namespace _, Value.Loop _ -> member(object, name);
      default -> {
        Value method = methods.find(object, name);
        yield method != null ? method : absent(object, name);
      }
    };
  }

  private static Value entry(Value.Mapping mapping, String name) {
    Value value = mapping.get(name);
    return value != null ? value : absent(mapping, name);
  }

  /// Jinja lets a template ask for any name. Those with underscores in front are how a template
  /// would reach for Python's internals; there are none here, and asking ends the rendering.
  private static Value absent(Value object, String name) {
    if (name.startsWith("__")) {
      throw new ChatTemplateException(
          "'%s' of %s is not allowed.".formatted(name, described(object)));
    }
    return new Value.Undefined(name);
  }

  private Value undefined(Value key) {
    return new Value.Undefined(PythonText.repr(key, budget).string());
  }

  private Value loop(Value.Loop loop, String name) {
    int index = loop.index();
    int length = loop.items().size();
    return switch (name) {
      case "index" -> Value.of(index + 1);
      case "index0" -> Value.of(index);
      case "revindex" -> Value.of(length - index);
      case "revindex0" -> Value.of(length - index - 1);
      case "first" -> Value.of(index == 0);
      case "last" -> Value.of(index == length - 1);
      case "length" -> Value.of(length);
      case "previtem" -> neighbour(loop, index - 1, name);
      case "nextitem" -> neighbour(loop, index + 1, name);
      case "cycle" ->
          new Value.Callable(
              "cycle",
              arguments -> {
                if (arguments.positional().isEmpty()) {
                  throw new ChatTemplateException("'cycle' takes at least one value.");
                }
                return arguments.positional().get(index % arguments.positional().size());
              });
      default -> absent(loop, name);
    };
  }

  private static Value neighbour(Value.Loop loop, int index, String name) {
    return index < 0 || index >= loop.items().size()
        ? new Value.Undefined("loop." + name)
        : loop.items().get(index);
  }
}
