package dev.weft.runtime.tokenizer.template;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What gives a value.
sealed interface Expression {
  record Literal(Value value) implements Expression {}

  record Name(String name) implements Expression {}

  record SequenceLiteral(List<Expression> items, boolean tuple) implements Expression {}

  record MappingLiteral(List<Entry> entries) implements Expression {}

  record Entry(Expression key, Expression value) {}

  /// `a.b`
  record Member(Expression object, String name) implements Expression {}

  /// `a[b]`
  record Item(Expression object, Expression key) implements Expression {}

  /// `a[start:stop:step]`
  record Slice(
      Expression object,
      @Nullable Expression start,
      @Nullable Expression stop,
      @Nullable Expression step)
      implements Expression {}

  record Call(Expression callee, CallArguments arguments) implements Expression {}

  /// `input | name(arguments)`; the input is null in a chain that a block feeds.
  record Filter(@Nullable Expression input, String name, CallArguments arguments)
      implements Expression {}

  /// `input is name(arguments)`
  record Test(Expression input, String name, CallArguments arguments) implements Expression {}

  record Not(Expression operand) implements Expression {}

  record And(Expression left, Expression right) implements Expression {}

  record Or(Expression left, Expression right) implements Expression {}

  /// `-a` and `+a`
  record Sign(boolean negative, Expression operand) implements Expression {}

  record Arithmetic(String operator, Expression left, Expression right) implements Expression {}

  /// `a ~ b ~ c`
  record Concatenation(List<Expression> operands) implements Expression {}

  /// `a < b <= c`: each operand is compared with the one before.
  record Comparison(Expression first, List<Comparand> rest) implements Expression {}

  /// @param operator one of `== != < <= > >= in`, `not in`
  record Comparand(String operator, Expression operand) {}

  /// `a if test else b`
  record Conditional(Expression test, Expression then, @Nullable Expression otherwise)
      implements Expression {}

  record CallArguments(List<Expression> positional, List<NamedArgument> named) {
    static final CallArguments NONE = new CallArguments(List.of(), List.of());
  }

  record NamedArgument(String name, Expression value) {}
}
