package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.time.Clock;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The functions that every template finds.
final class Functions {
  private Functions() {}

  static Map<String, Value> all(Budget budget, Clock clock) {
    Map<String, Value> functions = new LinkedHashMap<>();
    put(functions, "raise_exception", Functions::refuse);
    put(functions, "range", arguments -> range(arguments, budget));
    put(functions, "namespace", Functions::namespace);
    put(functions, "dict", Functions::dict);
    put(functions, "strftime_now", arguments -> now(arguments, clock));
    return functions;
  }

  private static void put(Map<String, Value> functions, String name, Value.Callable.Body body) {
    functions.put(name, new Value.Callable(name, body));
  }

  private static Value refuse(Arguments arguments) {
    Value message = arguments.required(0, "message");
    throw new ChatTemplateException(
        "The chat template refuses the messages: "
            + (message instanceof Text text ? text.string() : message.typeName()));
  }

  private static Value range(Arguments arguments, Budget budget) {
    List<Value> given = arguments.positional();
    if (given.isEmpty() || given.size() > 3) {
      throw new ChatTemplateException("'range' takes one to three numbers.");
    }
    long start = given.size() == 1 ? 0 : Operators.integer(given.get(0));
    long stop = Operators.integer(given.get(given.size() == 1 ? 0 : 1));
    long step = given.size() == 3 ? Operators.integer(given.get(2)) : 1;
    if (step == 0) {
      throw new ChatTemplateException("The step of a range is zero.");
    }
    List<Value> numbers = new ArrayList<>();
    for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
      if (numbers.size() == TemplateLimits.RANGE) {
        throw new ChatTemplateException(
            "A range has more than " + TemplateLimits.RANGE + " numbers.");
      }
      numbers.add(Value.of(i));
      if (step > 0 ? i > Long.MAX_VALUE - step : i < Long.MIN_VALUE - step) {
        break;
      }
    }
    budget.steps(numbers.size());
    return Sequence.list(numbers);
  }

  private static Value namespace(Arguments arguments) {
    Map<String, Value> members = new LinkedHashMap<>();
    if (arguments.find(0, "") instanceof Value.Mapping(Map<Value, Value> entries)) {
      entries.forEach((key, value) -> {
        if (key instanceof Text name) {
          members.put(name.string(), value);
        }
      });
    }
    members.putAll(arguments.named());
    return new Value.Namespace(members);
  }

  private static Value dict(Arguments arguments) {
    Map<Value, Value> entries = new LinkedHashMap<>();
    Value first = arguments.find(0, "");
    switch (first) {
      case null -> {}
      case Value.Mapping(Map<Value, Value> given) -> entries.putAll(given);
      case Sequence(List<Value> pairs, _) -> pairs.forEach(pair -> putPair(entries, pair));
      default ->
          throw new ChatTemplateException(
              "'dict' takes a dict, not " + Members.described(first) + ".");
    }
    arguments.named().forEach((name, value) -> entries.put(Text.trusted(name), value));
    return new Value.Mapping(entries);
  }

  private static void putPair(Map<Value, Value> entries, Value pair) {
    if (!(pair instanceof Sequence(List<Value> items, _)) || items.size() != 2) {
      throw new ChatTemplateException("'dict' takes pairs of key and value.");
    }
    entries.put(Operators.key(items.get(0)), items.get(1));
  }

  private static Value now(Arguments arguments, Clock clock) {
    String format = arguments.string(0, "format", "");
    return Text.trusted(TimeFormat.format(format, ZonedDateTime.now(clock)));
  }
}
