package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Expression.CallArguments;
import dev.weft.runtime.tokenizer.template.Expression.Comparand;
import dev.weft.runtime.tokenizer.template.Expression.NamedArgument;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Evaluates expressions.
final class Evaluator {
  private final Budget budget;
  private final Operators operators;
  private final Members members;
  private final Filters filters;
  private final Tests tests;

  Evaluator(Budget budget) {
    this.budget = budget;
    this.operators = new Operators(budget);
    this.members = new Members(budget, operators);
    this.tests = new Tests(operators);
    this.filters = new Filters(budget, operators, members, tests);
  }

  Operators operators() {
    return operators;
  }

  boolean isTrue(Expression expression, Scope scope) {
    return Operators.isTrue(evaluate(expression, scope));
  }

  Value evaluate(Expression expression, Scope scope) {
    budget.enter();
    Value value = value(expression, scope);
    budget.leave();
    return value;
  }

  /// Applies a chain of filters to what a block wrote.
  Value filter(@Nullable Expression chain, Text written, Scope scope) {
    if (!(chain instanceof Expression.Filter filter)) {
      return written;
    }
    return filtered(filter, filter(filter.input(), written, scope), scope);
  }

  Arguments arguments(CallArguments arguments, Scope scope) {
    List<Value> positional = new ArrayList<>(arguments.positional().size());
    for (Expression argument : arguments.positional()) {
      positional.add(evaluate(argument, scope));
    }
    if (arguments.named().isEmpty()) {
      return new Arguments(positional, Map.of());
    }
    Map<String, Value> named = new LinkedHashMap<>();
    for (NamedArgument argument : arguments.named()) {
      named.put(argument.name(), evaluate(argument.value(), scope));
    }
    return new Arguments(positional, named);
  }

  private Value value(Expression expression, Scope scope) {
    return switch (expression) {
      case Expression.Literal(Value value) -> value;
      case Expression.Name(String name) -> scope.get(name);
      case Expression.SequenceLiteral(List<Expression> items, boolean tuple) ->
          sequence(items, tuple, scope);
      case Expression.MappingLiteral(List<Expression.Entry> entries) -> mapping(entries, scope);
      case Expression.Member(Expression object, String name) ->
          members.member(evaluate(object, scope), name);
      case Expression.Item(Expression object, Expression key) ->
          members.item(evaluate(object, scope), evaluate(key, scope));
      case Expression.Slice slice -> slice(slice, scope);
      case Expression.Call(Expression callee, CallArguments arguments) ->
          call(evaluate(callee, scope), arguments(arguments, scope));
      case Expression.Filter filter -> {
        Expression input = Objects.requireNonNull(filter.input(), filter.name());
        yield filtered(filter, evaluate(input, scope), scope);
      }
      case Expression.Test test -> Value.of(test(test, scope));
      case Expression.Not(Expression operand) -> Value.of(!isTrue(operand, scope));
      case Expression.And(Expression left, Expression right) -> {
        Value first = evaluate(left, scope);
        yield Operators.isTrue(first) ? evaluate(right, scope) : first;
      }
      case Expression.Or(Expression left, Expression right) -> {
        Value first = evaluate(left, scope);
        yield Operators.isTrue(first) ? first : evaluate(right, scope);
      }
      case Expression.Sign(boolean negative, Expression operand) -> {
        Value number = evaluate(operand, scope);
        yield negative ? operators.negated(number) : number;
      }
      case Expression.Arithmetic(String operator, Expression left, Expression right) ->
          operators.arithmetic(operator, evaluate(left, scope), evaluate(right, scope));
      case Expression.Concatenation(List<Expression> operands) -> concatenation(operands, scope);
      case Expression.Comparison comparison -> comparison(comparison, scope);
      case Expression.Conditional(Expression test, Expression then, Expression otherwise) -> {
        if (isTrue(test, scope)) {
          yield evaluate(then, scope);
        }
        yield otherwise == null
            ? new Value.Undefined("an inline if without else")
            : evaluate(otherwise, scope);
      }
    };
  }

  private Value sequence(List<Expression> items, boolean tuple, Scope scope) {
    List<Value> values = new ArrayList<>(items.size());
    for (Expression item : items) {
      values.add(evaluate(item, scope));
    }
    return new Value.Sequence(values, tuple);
  }

  private Value mapping(List<Expression.Entry> entries, Scope scope) {
    Map<Value, Value> values = new LinkedHashMap<>();
    for (Expression.Entry entry : entries) {
      values.put(Operators.key(evaluate(entry.key(), scope)), evaluate(entry.value(), scope));
    }
    return new Value.Mapping(values);
  }

  private Value slice(Expression.Slice slice, Scope scope) {
    return members.slice(
        evaluate(slice.object(), scope),
        bound(slice.start(), scope),
        bound(slice.stop(), scope),
        bound(slice.step(), scope));
  }

  private @Nullable Long bound(@Nullable Expression expression, Scope scope) {
    if (expression == null) {
      return null;
    }
    Value value = evaluate(expression, scope);
    return value instanceof Value.None ? null : Long.valueOf(Operators.integer(value));
  }

  Value call(Value callee, Arguments arguments) {
    if (callee instanceof Value.Callable callable) {
      return callable.body().call(arguments);
    }
    throw new ChatTemplateException(Members.described(callee) + " cannot be called.");
  }

  private Value filtered(Expression.Filter filter, Value input, Scope scope) {
    return filters.apply(filter.name(), input, arguments(filter.arguments(), scope));
  }

  private boolean test(Expression.Test test, Scope scope) {
    Value input = evaluate(test.input(), scope);
    return tests.holds(test.name(), input, arguments(test.arguments(), scope));
  }

  private Value concatenation(List<Expression> operands, Scope scope) {
    Text.Builder text = new Text.Builder();
    for (Expression operand : operands) {
      Text next = PythonText.str(evaluate(operand, scope), budget);
      budget.work(next.string().length());
      text.append(next);
    }
    return text.build();
  }

  private Value comparison(Expression.Comparison comparison, Scope scope) {
    Value left = evaluate(comparison.first(), scope);
    for (Comparand comparand : comparison.rest()) {
      Value right = evaluate(comparand.operand(), scope);
      if (!operators.compare(comparand.operator(), left, right)) {
        return Value.Bool.FALSE;
      }
      left = right;
    }
    return Value.Bool.TRUE;
  }
}
