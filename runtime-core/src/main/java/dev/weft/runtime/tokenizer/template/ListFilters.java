package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/// Jinja's filters over lists, dicts and the letters of strings.
final class ListFilters {
  private final Budget budget;
  private final Operators operators;
  private final Members members;
  private final Tests tests;
  private final Filters filters;

  ListFilters(Budget budget, Operators operators, Members members, Tests tests, Filters filters) {
    this.budget = budget;
    this.operators = operators;
    this.members = members;
    this.tests = tests;
    this.filters = filters;
  }

  Value apply(String name, Value value, Arguments arguments) {
    return switch (name) {
      case "list" -> Sequence.list(operators.iterate(value));
      case "items" -> Sequence.list(items(value));
      case "first" -> end(operators.iterate(value), true);
      case "last" -> end(operators.iterate(value), false);
      case "join" -> join(value, arguments);
      case "reverse" -> reverse(value);
      case "sort" -> Sequence.list(sorted(value, arguments));
      case "dictsort" -> dictsort(value, arguments);
      case "unique" -> Sequence.list(unique(value, arguments));
      case "min" -> extreme(value, arguments, "<");
      case "max" -> extreme(value, arguments, ">");
      case "sum" -> sum(value, arguments);
      case "map" -> Sequence.list(mapped(value, arguments));
      case "select" -> Sequence.list(selected(value, arguments, true));
      case "reject" -> Sequence.list(selected(value, arguments, false));
      case "selectattr" -> Sequence.list(selectedByMember(value, arguments, true));
      case "rejectattr" -> Sequence.list(selectedByMember(value, arguments, false));
      default -> throw new ChatTemplateException("The filter '" + name + "' is not supported.");
    };
  }

  private static List<Value> items(Value value) {
    return switch (value) {
      case Value.Mapping mapping -> mapping.items();
      case Value.Undefined _ -> List.of();
      default ->
          throw new ChatTemplateException(
              "'items' takes a dict, not " + Members.described(value) + ".");
    };
  }

  private static Value end(List<Value> items, boolean first) {
    if (items.isEmpty()) {
      return new Value.Undefined(first ? "the first of no items" : "the last of no items");
    }
    return first ? items.getFirst() : items.getLast();
  }

  private Value join(Value value, Arguments arguments) {
    Text separator = PythonText.str(arguments.get(0, "d", Text.EMPTY), budget);
    Function<Value, Value> member = memberOf(arguments, 1);
    Text.Builder joined = new Text.Builder();
    boolean first = true;
    for (Value item : operators.iterate(value)) {
      Text text = PythonText.str(member.apply(item), budget);
      budget.work((long) text.string().length() + separator.string().length());
      if (!first) {
        joined.append(separator);
      }
      joined.append(text);
      first = false;
    }
    return joined.build();
  }

  private Value reverse(Value value) {
    List<Value> items = new ArrayList<>(operators.iterate(value));
    Collections.reverse(items);
    if (!(value instanceof Text)) {
      return Sequence.list(items);
    }
    Text.Builder text = new Text.Builder();
    items.forEach(letter -> text.append((Text) letter));
    return text.build();
  }

  private List<Value> sorted(Value value, Arguments arguments) {
    boolean caseSensitive = arguments.flag(1, "case_sensitive", false);
    Function<Value, Value> member = memberOf(arguments, 2);
    List<Value> items = new ArrayList<>(operators.iterate(value));
    Comparator<Value> order =
        Comparator.comparing(
            item -> cased(member.apply(item), caseSensitive),
            (left, right) -> operators.order("<", left, right));
    items.sort(arguments.flag(0, "reverse", false) ? order.reversed() : order);
    return items;
  }

  private Value dictsort(Value value, Arguments arguments) {
    boolean caseSensitive = arguments.flag(0, "case_sensitive", false);
    int index = arguments.string(1, "by", "key").equals("value") ? 1 : 0;
    List<Value> items = new ArrayList<>(items(value));
    Comparator<Value> order =
        Comparator.comparing(
            item -> cased(((Sequence) item).items().get(index), caseSensitive),
            (left, right) -> operators.order("<", left, right));
    items.sort(arguments.flag(2, "reverse", false) ? order.reversed() : order);
    return Sequence.list(items);
  }

  /// The first of those that are equal, without regard to case unless asked.
  private List<Value> unique(Value value, Arguments arguments) {
    boolean caseSensitive = arguments.flag(0, "case_sensitive", false);
    Function<Value, Value> member = memberOf(arguments, 1);
    List<Value> kept = new ArrayList<>();
    List<Value> seen = new ArrayList<>();
    for (Value item : operators.iterate(value)) {
      Value key = cased(member.apply(item), caseSensitive);
      if (seen.stream().noneMatch(other -> operators.equal(other, key))) {
        seen.add(key);
        kept.add(item);
      }
    }
    return kept;
  }

  private Value extreme(Value value, Arguments arguments, String operator) {
    boolean caseSensitive = arguments.flag(0, "case_sensitive", false);
    Function<Value, Value> member = memberOf(arguments, 1);
    Value best = new Value.Undefined("an extreme of no items");
    boolean first = true;
    for (Value item : operators.iterate(value)) {
      if (first
          || operators.compare(
              operator,
              cased(member.apply(item), caseSensitive),
              cased(member.apply(best), caseSensitive))) {
        best = item;
        first = false;
      }
    }
    return best;
  }

  private Value sum(Value value, Arguments arguments) {
    Function<Value, Value> member = memberOf(arguments, 0);
    Value sum = arguments.get(1, "start", Value.of(0));
    for (Value item : operators.iterate(value)) {
      sum = operators.arithmetic("+", sum, member.apply(item));
    }
    return sum;
  }

  /// `map(attribute=name)` takes a member of each item, `map(filter)` applies a filter to each.
  private List<Value> mapped(Value value, Arguments arguments) {
    Function<Value, Value> change;
    Value member = arguments.named().get("attribute");
    if (member != null) {
      Value otherwise = arguments.named().get("default");
      Function<Value, Value> path = path(member);
      change =
          item -> {
            Value found = path.apply(item);
            return found instanceof Value.Undefined && otherwise != null ? otherwise : found;
          };
    } else {
      Value filter = arguments.required(0, "filter");
      change = item -> filters.named(filter, item, arguments.from(1));
    }
    return operators.iterate(value).stream().map(change).toList();
  }

  private List<Value> selected(Value value, Arguments arguments, boolean kept) {
    return filtered(value, arguments, 0, Function.identity(), kept);
  }

  private List<Value> selectedByMember(Value value, Arguments arguments, boolean kept) {
    return filtered(value, arguments, 1, path(arguments.required(0, "attribute")), kept);
  }

  private List<Value> filtered(
      Value value, Arguments arguments, int test, Function<Value, Value> member, boolean kept) {
    List<Value> result = new ArrayList<>();
    for (Value item : operators.iterate(value)) {
      Value tested = member.apply(item);
      boolean holds =
          arguments.positional().size() > test
              ? tests.holds(arguments.string(test, "test", ""), tested, arguments.from(test + 1))
              : Operators.isTrue(tested);
      if (holds == kept) {
        result.add(item);
      }
    }
    return result;
  }

  private Function<Value, Value> memberOf(Arguments arguments, int position) {
    Value member = arguments.get(position, "attribute", Value.None.NONE);
    return member instanceof Value.None ? Function.identity() : path(member);
  }

  /// `a.b.0` as items of items.
  private Function<Value, Value> path(Value member) {
    if (!(member instanceof Text text)) {
      return item -> members.item(item, member);
    }
    List<Value> keys = new ArrayList<>();
    for (String part : text.string().split("\\.", -1)) {
      boolean number = !part.isEmpty() && part.chars().allMatch(Character::isDigit);
      keys.add(number && part.length() < 10 ? Value.of(Long.parseLong(part)) : Text.trusted(part));
    }
    return item -> {
      Value found = item;
      for (Value key : keys) {
        budget.step();
        found = members.item(found, key);
      }
      return found;
    };
  }

  private static Value cased(Value value, boolean caseSensitive) {
    return value instanceof Text text && !caseSensitive
        ? text.derived(text.string().toLowerCase(Locale.ROOT))
        : value;
  }
}
