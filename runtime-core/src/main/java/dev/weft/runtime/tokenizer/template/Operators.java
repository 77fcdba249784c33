package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/// Python's operators over template values.
final class Operators {
  private final Budget budget;

  Operators(Budget budget) {
    this.budget = budget;
  }

  static boolean isTrue(Value value) {
    return switch (value) {
      case Value.Bool(boolean bool) -> bool;
      case Value.Int(long number) -> number != 0;
      case Value.Real(double number) -> number != 0;
      case Text text -> !text.string().isEmpty();
      case Sequence(List<Value> items, _) -> !items.isEmpty();
      case Value.Mapping(Map<Value, Value> entries) -> !entries.isEmpty();
      case Value.None _, Value.Undefined _ -> false;
      case Value.Namespace _, Value.Loop _, Value.Callable _ -> true;
    };
  }

  Value arithmetic(String operator, Value left, Value right) {
    if (operator.equals("%") && left instanceof Text format) {
      return new PercentFormat(budget).format(format, right);
    }
    if (left instanceof Text || right instanceof Text) {
      return text(operator, left, right);
    }
    if (left instanceof Sequence || right instanceof Sequence) {
      return sequence(operator, left, right);
    }
    if (isInteger(left) && isInteger(right) && !operator.equals("/")) {
      return integers(operator, integer(left), integer(right));
    }
    if (isNumber(left) && isNumber(right)) {
      return new Value.Real(floats(operator, number(left), number(right)));
    }
    throw mismatch(operator, left, right);
  }

  private Value text(String operator, Value left, Value right) {
    if (operator.equals("+") && left instanceof Text first && right instanceof Text second) {
      budget.work((long) first.string().length() + second.string().length());
      return first.plus(second);
    }
    if (operator.equals("*") && left instanceof Text text && isInteger(right)) {
      return repeated(text, integer(right));
    }
    if (operator.equals("*") && right instanceof Text text && isInteger(left)) {
      return repeated(text, integer(left));
    }
    throw mismatch(operator, left, right);
  }

  private Text repeated(Text text, long count) {
    if (count <= 0 || text.string().isEmpty()) {
      return Text.EMPTY;
    }
    budget.work(Math.multiplyExact(Math.min(count, Integer.MAX_VALUE), text.string().length()));
    Text.Builder result = new Text.Builder();
    for (long i = 0; i < count; i++) {
      result.append(text);
    }
    return result.build();
  }

  private Value sequence(String operator, Value left, Value right) {
    if (operator.equals("+")
        && left instanceof Sequence(List<Value> first, boolean tuple)
        && right instanceof Sequence(List<Value> second, boolean otherTuple)
        && tuple == otherTuple) {
      budget.steps((long) first.size() + second.size());
      List<Value> items = new ArrayList<>(first);
      items.addAll(second);
      return new Sequence(items, tuple);
    }
    if (operator.equals("*")
        && left instanceof Sequence(List<Value> items, boolean tuple)
        && isInteger(right)) {
      long count = Math.clamp(integer(right), 0, Integer.MAX_VALUE);
      budget.steps(count * Math.max(items.size(), 1));
      List<Value> result = new ArrayList<>();
      for (long i = 0; i < count && !items.isEmpty(); i++) {
        result.addAll(items);
      }
      return new Sequence(result, tuple);
    }
    throw mismatch(operator, left, right);
  }

  private static Value integers(String operator, long left, long right) {
    try {
      return switch (operator) {
        case "+" -> new Value.Int(Math.addExact(left, right));
        case "-" -> new Value.Int(Math.subtractExact(left, right));
        case "*" -> new Value.Int(Math.multiplyExact(left, right));
        case "//" -> new Value.Int(Math.floorDiv(left, divisor(right)));
        case "%" -> new Value.Int(Math.floorMod(left, divisor(right)));
        case "**" -> power(left, right);
        default -> throw new IllegalStateException(operator);
      };
    } catch (ArithmeticException e) {
      throw new ChatTemplateException("A number is out of range.");
    }
  }

  private static Value power(long base, long exponent) {
    if (exponent < 0) {
      return new Value.Real(Math.pow((double) base, (double) exponent));
    }
    return new Value.Int(
        BigInteger.valueOf(base)
            .pow((int) Math.min(exponent, Math.abs(base) < 2 ? exponent % 2 : 64))
            .longValueExact());
  }

  private static double floats(String operator, double left, double right) {
    return switch (operator) {
      case "+" -> left + right;
      case "-" -> left - right;
      case "*" -> left * right;
      case "/" -> left / divisor(right);
      case "//" -> Math.floor(left / divisor(right));
      case "%" -> left - Math.floor(left / divisor(right)) * right;
      case "**" -> Math.pow(left, right);
      default -> throw new IllegalStateException(operator);
    };
  }

  private static long divisor(long number) {
    if (number == 0) {
      throw new ChatTemplateException("A division by zero.");
    }
    return number;
  }

  private static double divisor(double number) {
    if (number == 0) {
      throw new ChatTemplateException("A division by zero.");
    }
    return number;
  }

  Value negated(Value operand) {
    if (isInteger(operand)) {
      return integers("-", 0, integer(operand));
    }
    if (operand instanceof Value.Real(double number)) {
      return new Value.Real(-number);
    }
    throw new ChatTemplateException("'-' takes a number, not " + operand.typeName() + ".");
  }

  boolean compare(String operator, Value left, Value right) {
    return switch (operator) {
      case "==" -> equal(left, right);
      case "!=" -> !equal(left, right);
      case "in" -> contains(right, left);
      case "not in" -> !contains(right, left);
      case "<" -> order(operator, left, right) < 0;
      case "<=" -> order(operator, left, right) <= 0;
      case ">" -> order(operator, left, right) > 0;
      case ">=" -> order(operator, left, right) >= 0;
      default -> throw new IllegalStateException(operator);
    };
  }

  boolean equal(Value left, Value right) {
    budget.enter();
    try {
      return switch (left) {
        case Text text -> text.equals(right);
        case Value.Int _, Value.Bool _, Value.Real _ -> isNumber(right) && sameNumber(left, right);
        case Sequence(List<Value> items, boolean tuple) ->
            right instanceof Sequence(List<Value> others, boolean otherTuple)
                && tuple == otherTuple
                && equalItems(items, others);
        case Value.Mapping(Map<Value, Value> entries) ->
            right instanceof Value.Mapping(Map<Value, Value> others)
                && equalEntries(entries, others);
        case Value.Undefined _ -> right instanceof Value.Undefined;
        case Value.None _ -> right instanceof Value.None;
        // Templates do not compare these, and two of them are never alike.
        case Value.Namespace _, Value.Loop _, Value.Callable _ -> false;
      };
    } finally {
      budget.leave();
    }
  }

  private static boolean sameNumber(Value left, Value right) {
    boolean whole = isInteger(left) && isInteger(right);
    return whole ? integer(left) == integer(right) : number(left) == number(right);
  }

  private boolean equalItems(List<Value> left, List<Value> right) {
    if (left.size() != right.size()) {
      return false;
    }
    Iterator<Value> others = right.iterator();
    for (Value item : left) {
      if (!equal(item, others.next())) {
        return false;
      }
    }
    return true;
  }

  private boolean equalEntries(Map<Value, Value> left, Map<Value, Value> right) {
    if (left.size() != right.size()) {
      return false;
    }
    for (Map.Entry<Value, Value> entry : left.entrySet()) {
      Value other = right.get(entry.getKey());
      if (other == null || !equal(entry.getValue(), other)) {
        return false;
      }
    }
    return true;
  }

  boolean contains(Value container, Value item) {
    return switch (container) {
      case Text text when item instanceof Text part -> {
        budget.search(text.string().length(), part.string().length());
        yield text.string().contains(part.string());
      }
      case Sequence(List<Value> items, _) ->
          items.stream().anyMatch(candidate -> equal(candidate, item));
      case Value.Mapping(Map<Value, Value> entries) -> entries.containsKey(key(item));
      case Value.Undefined _ -> false;
      default ->
          throw new ChatTemplateException(
              "'in' cannot look for "
                  + item.typeName()
                  + " inside "
                  + Members.described(container)
                  + ".");
    };
  }

  /// Less than, equal to or greater than 0, as in a comparator.
  int order(String operator, Value left, Value right) {
    if (isInteger(left) && isInteger(right)) {
      return Long.compare(integer(left), integer(right));
    }
    if (isNumber(left) && isNumber(right)) {
      return Double.compare(number(left), number(right));
    }
    if (left instanceof Text first && right instanceof Text second) {
      budget.work(Math.min(first.string().length(), second.string().length()));
      return first.string().compareTo(second.string());
    }
    if (left instanceof Sequence(List<Value> first, _)
        && right instanceof Sequence(List<Value> second, _)) {
      return orderItems(operator, first, second);
    }
    throw mismatch(operator, left, right);
  }

  private int orderItems(String operator, List<Value> left, List<Value> right) {
    budget.enter();
    try {
      for (int i = 0; i < Math.min(left.size(), right.size()); i++) {
        if (!equal(left.get(i), right.get(i))) {
          return order(operator, left.get(i), right.get(i));
        }
      }
      return Integer.compare(left.size(), right.size());
    } finally {
      budget.leave();
    }
  }

  /// What `for` goes through.
  List<Value> iterate(Value value) {
    List<Value> items =
        switch (value) {
          case Sequence(List<Value> list, _) -> list;
          case Value.Mapping mapping -> mapping.keys();
          case Text text -> {
            budget.work(text.string().length());
            yield text.letters();
          }
          case Value.Undefined _ -> List.of();
          default ->
              throw new ChatTemplateException(
                  Members.described(value) + " cannot be iterated over.");
        };
    budget.steps(items.size());
    return items;
  }

  /// Python's `len`, or nothing for what has no length.
  static OptionalInt length(Value value) {
    return switch (value) {
      case Text text -> OptionalInt.of(text.length());
      case Sequence(List<Value> items, _) -> OptionalInt.of(items.size());
      case Value.Mapping(Map<Value, Value> entries) -> OptionalInt.of(entries.size());
      case Value.Undefined _ -> OptionalInt.of(0);
      default -> OptionalInt.empty();
    };
  }

  /// A value that may be a key of a mapping. `True` and 1 are the same key.
  static Value key(Value value) {
    return switch (value) {
      case Text _, Value.Int _, Value.None _ -> value;
      case Value.Bool(boolean bool) -> new Value.Int(bool ? 1 : 0);
      case Value.Real(double number) when number == Math.rint(number) && Math.abs(number) < 1e15 ->
          new Value.Int((long) number);
      case Value.Real _ -> value;
      default ->
          throw new ChatTemplateException(
              Members.described(value) + " cannot be the key of a dict.");
    };
  }

  static boolean isInteger(Value value) {
    return value instanceof Value.Int || value instanceof Value.Bool;
  }

  static boolean isNumber(Value value) {
    return isInteger(value) || value instanceof Value.Real;
  }

  static long integer(Value value) {
    return switch (value) {
      case Value.Int(long number) -> number;
      case Value.Bool(boolean bool) -> bool ? 1 : 0;
      default ->
          throw new ChatTemplateException(
              "An integer is expected, not " + Members.described(value) + ".");
    };
  }

  static double number(Value value) {
    return value instanceof Value.Real(double number) ? number : integer(value);
  }

  private static ChatTemplateException mismatch(String operator, Value left, Value right) {
    return new ChatTemplateException(
        "'%s' cannot take %s and %s."
            .formatted(operator, Members.described(left), Members.described(right)));
  }
}
