package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Value.Sequence;

/// Jinja's tests (`x is name`).
final class Tests {
  private final Operators operators;

  Tests(Operators operators) {
    this.operators = operators;
  }

  boolean holds(String name, Value value, Arguments arguments) {
    return switch (name) {
      case "defined" -> !(value instanceof Value.Undefined);
      case "undefined" -> value instanceof Value.Undefined;
      case "none" -> value instanceof Value.None;
      case "true" -> value instanceof Value.Bool(boolean bool) && bool;
      case "false" -> value instanceof Value.Bool(boolean bool) && !bool;
      case "boolean" -> value instanceof Value.Bool;
      case "integer" -> value instanceof Value.Int;
      case "float" -> value instanceof Value.Real;
      case "number" -> Operators.isNumber(value);
      case "string" -> value instanceof Text;
      case "mapping" -> value instanceof Value.Mapping;
      case "sequence" ->
          value instanceof Text
              || value instanceof Sequence
              || value instanceof Value.Mapping
              || value instanceof Value.Undefined;
      case "iterable" -> Operators.length(value).isPresent();
      case "callable" -> value instanceof Value.Callable;
      case "odd" -> Math.floorMod(Operators.integer(value), 2L) == 1;
      case "even" -> Math.floorMod(Operators.integer(value), 2L) == 0;
      case "divisibleby" -> divides(Operators.integer(arguments.required(0, "num")), value);
      case "lower" -> value instanceof Text text && Capitals.isLower(text.string());
      case "upper" -> value instanceof Text text && Capitals.isUpper(text.string());
      case "sameas" -> same(value, arguments.required(0, "other"));
      case "equalto", "eq" -> compare("==", value, arguments);
      case "ne" -> compare("!=", value, arguments);
      case "lt", "lessthan" -> compare("<", value, arguments);
      case "le" -> compare("<=", value, arguments);
      case "gt", "greaterthan" -> compare(">", value, arguments);
      case "ge" -> compare(">=", value, arguments);
      case "in" -> compare("in", value, arguments);
      default -> throw new ChatTemplateException("The test '" + name + "' is not supported.");
    };
  }

  private boolean compare(String operator, Value value, Arguments arguments) {
    return operators.compare(operator, value, arguments.required(0, "other"));
  }

  private static boolean divides(long divisor, Value value) {
    if (divisor == 0) {
      throw new ChatTemplateException("A division by zero.");
    }
    return Operators.integer(value) % divisor == 0;
  }

  /// Python asks whether it is the same object, which templates do of `true`, `false` and `none`.
  private boolean same(Value value, Value other) {
    return value.typeName().equals(other.typeName()) && operators.equal(value, other);
  }
}
