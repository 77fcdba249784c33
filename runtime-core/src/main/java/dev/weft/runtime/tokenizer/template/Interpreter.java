package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Statement.Branch;
import dev.weft.runtime.tokenizer.template.Statement.Parameter;
import dev.weft.runtime.tokenizer.template.Statement.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Runs statements. One for each rendering.
final class Interpreter {
  /// How a statement ends.
  private enum Flow {
    NEXT,
    BREAK,
    CONTINUE
  }

  private final Budget budget;
  private final Evaluator evaluator;

  Interpreter(Budget budget) {
    this.budget = budget;
    this.evaluator = new Evaluator(budget);
  }

  Text render(List<Statement> template, Map<String, Value> names) {
    Text.Builder out = new Text.Builder();
    execute(template, Scope.outermost(names), out);
    return out.build();
  }

  private Flow execute(List<Statement> statements, Scope scope, Text.Builder out) {
    for (Statement statement : statements) {
      budget.enter();
      Flow flow = execute(statement, scope, out);
      budget.leave();
      if (flow != Flow.NEXT) {
        return flow;
      }
    }
    return Flow.NEXT;
  }

  private Flow execute(Statement statement, Scope scope, Text.Builder out) {
    switch (statement) {
      case Statement.Data(Text text) -> write(text, out);
      case Statement.Output(Expression expression, int line) ->
          write(text(expression, line, scope), out);
      case Statement.If conditional -> {
        return conditional(conditional, scope, out);
      }
      case Statement.For loop -> {
        return loop(loop, scope, out);
      }
      case Statement.Set(Target target, Expression value, int line) ->
          assign(target, evaluate(value, line, scope), line, scope);
      case Statement.SetBlock(Target target, Expression filter, List<Statement> body, int line) -> {
        Text written = written(body, scope.inner());
        assign(target, filtered(filter, written, line, scope), line, scope);
      }
      case Statement.FilterBlock(Expression filter, List<Statement> body, int line) -> {
        Text written = written(body, scope.inner());
        write(PythonText.str(filtered(filter, written, line, scope), budget), out);
      }
      case Statement.Macro macro -> scope.set(macro.name(), callable(macro, scope));
      case Statement.CallBlock block -> callBlock(block, scope, out);
      case Statement.Block(List<Statement.Set> names, List<Statement> body) -> {
        Scope inner = scope.inner();
        for (Statement.Set name : names) {
          assign(name.target(), evaluate(name.value(), name.line(), scope), name.line(), inner);
        }
        return execute(body, inner, out);
      }
      case Statement.Break _ -> {
        return Flow.BREAK;
      }
      case Statement.Continue _ -> {
        return Flow.CONTINUE;
      }
    }
    return Flow.NEXT;
  }

  private void write(Text text, Text.Builder out) {
    budget.work(text.string().length());
    budget.output((long) out.length() + text.string().length());
    out.append(text);
  }

  private Text written(List<Statement> body, Scope scope) {
    Text.Builder inner = new Text.Builder();
    execute(body, scope, inner);
    return inner.build();
  }

  private Value evaluate(Expression expression, int line, Scope scope) {
    try {
      return evaluator.evaluate(expression, scope);
    } catch (ChatTemplateException e) {
      throw TemplateErrors.located(e, line);
    }
  }

  private Text text(Expression expression, int line, Scope scope) {
    try {
      return PythonText.str(evaluator.evaluate(expression, scope), budget);
    } catch (ChatTemplateException e) {
      throw TemplateErrors.located(e, line);
    }
  }

  private Value filtered(@Nullable Expression filter, Text written, int line, Scope scope) {
    try {
      return evaluator.filter(filter, written, scope);
    } catch (ChatTemplateException e) {
      throw TemplateErrors.located(e, line);
    }
  }

  private Flow conditional(Statement.If conditional, Scope scope, Text.Builder out) {
    for (Branch branch : conditional.branches()) {
      if (Operators.isTrue(evaluate(branch.test(), branch.line(), scope))) {
        return execute(branch.body(), scope, out);
      }
    }
    return execute(conditional.otherwise(), scope, out);
  }

  private Flow loop(Statement.For loop, Scope scope, Text.Builder out) {
    List<Value> items = items(loop, scope);
    if (items.isEmpty()) {
      return execute(loop.otherwise(), scope.inner(), out);
    }
    for (int index = 0; index < items.size(); index++) {
      budget.step();
      Scope inner = scope.inner();
      inner.set("loop", new Value.Loop(items, index));
      assign(loop.target(), items.get(index), loop.line(), inner);
      if (execute(loop.body(), inner, out) == Flow.BREAK) {
        break;
      }
    }
    return Flow.NEXT;
  }

  /// What the loop goes through; its filter decides before the first round.
  private List<Value> items(Statement.For loop, Scope scope) {
    try {
      Value value = evaluator.evaluate(loop.items(), scope);
      List<Value> items = evaluator.operators().iterate(value);
      if (loop.filter() == null) {
        return items;
      }
      List<Value> kept = new ArrayList<>();
      for (Value item : items) {
        Scope inner = scope.inner();
        assign(loop.target(), item, loop.line(), inner);
        if (evaluator.isTrue(loop.filter(), inner)) {
          kept.add(item);
        }
      }
      return kept;
    } catch (ChatTemplateException e) {
      throw TemplateErrors.located(e, loop.line());
    }
  }

  private void assign(Target target, Value value, int line, Scope scope) {
    switch (target) {
      case Target.Variable(String name) -> scope.set(name, value);
      case Target.NamespaceMember(String namespace, String name) -> {
        if (!(scope.get(namespace) instanceof Value.Namespace(Map<String, Value> members))) {
          throw TemplateErrors.error(line, "'" + namespace + "' is not a namespace.");
        }
        members.put(name, value);
      }
      case Target.Unpacked(List<Target> targets) -> {
        List<Value> values = unpacked(value, line);
        if (values.size() != targets.size()) {
          throw TemplateErrors.error(
              line, "%d values for %d names.".formatted(values.size(), targets.size()));
        }
        for (int i = 0; i < values.size(); i++) {
          assign(targets.get(i), values.get(i), line, scope);
        }
      }
    }
  }

  private List<Value> unpacked(Value value, int line) {
    try {
      return evaluator.operators().iterate(value);
    } catch (ChatTemplateException e) {
      throw TemplateErrors.located(e, line);
    }
  }

  private void callBlock(Statement.CallBlock block, Scope scope, Text.Builder out) {
    try {
      Expression.Call call = block.call();
      Value callee = evaluator.evaluate(call.callee(), scope);
      Arguments arguments = evaluator.arguments(call.arguments(), scope);
      arguments = arguments.with("caller", callable(block.caller(), scope));
      write(PythonText.str(evaluator.call(callee, arguments), budget), out);
    } catch (ChatTemplateException e) {
      throw TemplateErrors.located(e, block.line());
    }
  }

  /// The macro sees the names around its definition as they are when it is called.
  private Value callable(Statement.Macro macro, Scope scope) {
    return new Value.Callable(
        macro.name(),
        arguments -> {
          budget.enter();
          Scope inner = scope.inner();
          bind(macro, arguments, inner);
          Text written = written(macro.body(), inner);
          budget.leave();
          return written;
        });
  }

  private void bind(Statement.Macro macro, Arguments arguments, Scope inner) {
    List<Parameter> parameters = macro.parameters();
    if (arguments.positional().size() > parameters.size()) {
      throw new ChatTemplateException(
          "'%s' takes %d arguments, not %d."
              .formatted(macro.name(), parameters.size(), arguments.positional().size()));
    }
    for (String name : arguments.named().keySet()) {
      boolean known =
          name.equals("caller") || parameters.stream().anyMatch(p -> p.name().equals(name));
      if (!known) {
        throw new ChatTemplateException(
            "'%s' has no parameter '%s'.".formatted(macro.name(), name));
      }
    }
    Value caller = arguments.named().get("caller");
    if (caller != null) {
      inner.set("caller", caller);
    }
    for (int i = 0; i < parameters.size(); i++) {
      Parameter parameter = parameters.get(i);
      Value value = arguments.find(i, parameter.name());
      if (value == null) {
        value =
            parameter.otherwise() == null
                ? new Value.Undefined(parameter.name())
                : evaluator.evaluate(parameter.otherwise(), inner);
      }
      inner.set(parameter.name(), value);
    }
  }
}
