package dev.weft.runtime.tokenizer.template;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What writes text or changes names.
sealed interface Statement {
  record Data(Text text) implements Statement {}

  record Output(Expression expression, int line) implements Statement {}

  record If(List<Branch> branches, List<Statement> otherwise) implements Statement {}

  record Branch(Expression test, List<Statement> body, int line) {}

  record For(
      Target target,
      Expression items,
      @Nullable Expression filter,
      List<Statement> body,
      List<Statement> otherwise,
      int line)
      implements Statement {}

  record Set(Target target, Expression value, int line) implements Statement {}

  /// `{% set name %} ... {% endset %}`
  ///
  /// @param filter the chain of filters over what the body writes
  record SetBlock(Target target, @Nullable Expression filter, List<Statement> body, int line)
      implements Statement {}

  /// `{% filter name %} ... {% endfilter %}`
  record FilterBlock(Expression filter, List<Statement> body, int line) implements Statement {}

  record Macro(String name, List<Parameter> parameters, List<Statement> body)
      implements Statement {}

  record Parameter(String name, @Nullable Expression otherwise) {}

  /// `{% call macro() %} ... {% endcall %}`: the body is the macro's `caller()`.
  record CallBlock(Expression.Call call, Macro caller, int line) implements Statement {}

  /// Statements with names of their own.
  record Block(List<Set> names, List<Statement> body) implements Statement {}

  record Break() implements Statement {}

  record Continue() implements Statement {}

  /// Where an assignment goes.
  sealed interface Target {
    record Variable(String name) implements Target {}

    /// `namespace.name`
    record NamespaceMember(String namespace, String name) implements Target {}

    record Unpacked(List<Target> targets) implements Target {}
  }
}
