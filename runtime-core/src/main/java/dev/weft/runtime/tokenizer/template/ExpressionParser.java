package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.template.Expression.CallArguments;
import dev.weft.runtime.tokenizer.template.Expression.Comparand;
import dev.weft.runtime.tokenizer.template.Expression.NamedArgument;
import dev.weft.runtime.tokenizer.template.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Recursive descent over Jinja's expression grammar, loosest binding first: conditional, `or`,
/// `and`, `not`, comparison, `+ -`, `~`, `* / // %`, unary sign, `**`, postfix, filters and tests.
final class ExpressionParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

  private final TokenStream tokens;

  ExpressionParser(TokenStream tokens) {
    this.tokens = tokens;
  }

  /// An expression, or several with commas between, which are a tuple.
  Expression expressions() {
    return tupleOf(this::expression);
  }

  /// The same without a conditional, as between `in` and `if` of a loop.
  Expression loopItems() {
    return tupleOf(this::or);
  }

  Expression expression() {
    tokens.enter();
    Expression expression = or();
    while (tokens.skipName("if")) {
      Expression test = or();
      Expression otherwise = tokens.skipName("else") ? expression() : null;
      expression = new Expression.Conditional(test, expression, otherwise);
    }
    tokens.leave();
    return expression;
  }

  /// The filters after a block's name, over what the block writes.
  @Nullable Expression filters() {
    Expression filter = null;
    while (tokens.skipOperator("|")) {
      filter = filter(filter);
    }
    return filter;
  }

  /// One filter without the bar in front.
  Expression filter(@Nullable Expression input) {
    Token name = tokens.expect(Kind.NAME);
    CallArguments arguments = tokens.isOperator("(") ? callArguments() : CallArguments.NONE;
    return new Expression.Filter(input, name.text(), arguments);
  }

  CallArguments callArguments() {
    tokens.expectOperator("(");
    tokens.enter();
    List<Expression> positional = new ArrayList<>();
    List<NamedArgument> named = new ArrayList<>();
    while (!tokens.isOperator(")")) {
      Token first = tokens.peek();
      if (tokens.isOperator("*") || tokens.isOperator("**")) {
        throw TokenStream.error(first, "'*' and '**' arguments are not supported");
      }
      if (first.kind() == Kind.NAME && tokens.peekNext().is(Kind.OPERATOR, "=")) {
        tokens.next();
        tokens.next();
        named.add(new NamedArgument(first.text(), expression()));
      } else if (named.isEmpty()) {
        positional.add(expression());
      } else {
        throw TokenStream.error(first, "a positional argument follows a named one");
      }
      if (!tokens.skipOperator(",")) {
        break;
      }
    }
    tokens.leave();
    tokens.expectOperator(")");
    return new CallArguments(List.copyOf(positional), List.copyOf(named));
  }

  private Expression tupleOf(Supplier<Expression> element) {
    Expression first = element.get();
    if (!tokens.isOperator(",")) {
      return first;
    }
    List<Expression> items = new ArrayList<>(List.of(first));
    while (tokens.skipOperator(",")) {
      if (endsTuple()) {
        break;
      }
      items.add(element.get());
    }
    return new Expression.SequenceLiteral(List.copyOf(items), true);
  }

  private boolean endsTuple() {
    Kind kind = tokens.peek().kind();
    return kind == Kind.BLOCK_END || kind == Kind.VARIABLE_END || tokens.isOperator(")");
  }

  private Expression or() {
    Expression left = and();
    while (tokens.skipName("or")) {
      left = new Expression.Or(left, and());
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (tokens.skipName("and")) {
      left = new Expression.And(left, not());
    }
    return left;
  }

  private Expression not() {
    if (!tokens.skipName("not")) {
      return comparison();
    }
    tokens.enter();
    Expression operand = not();
    tokens.leave();
    return new Expression.Not(operand);
  }

  private Expression comparison() {
    Expression first = sum();
    List<Comparand> rest = new ArrayList<>();
    while (true) {
      Token token = tokens.peek();
      if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
        tokens.next();
        rest.add(new Comparand(token.text(), sum()));
      } else if (tokens.skipName("in")) {
        rest.add(new Comparand("in", sum()));
      } else if (tokens.isName("not") && tokens.peekNext().is(Kind.NAME, "in")) {
        tokens.next();
        tokens.next();
        rest.add(new Comparand("not in", sum()));
      } else {
        return rest.isEmpty() ? first : new Expression.Comparison(first, List.copyOf(rest));
      }
    }
  }

  private Expression sum() {
    return arithmetic(this::concatenation, Set.of("+", "-"));
  }

  private Expression concatenation() {
    Expression first = product();
    if (!tokens.isOperator("~")) {
      return first;
    }
    List<Expression> operands = new ArrayList<>(List.of(first));
    while (tokens.skipOperator("~")) {
      operands.add(product());
    }
    return new Expression.Concatenation(List.copyOf(operands));
  }

  private Expression product() {
    return arithmetic(this::power, Set.of("*", "/", "//", "%"));
  }

  private Expression power() {
    return arithmetic(() -> signed(true), Set.of("**"));
  }

  private Expression arithmetic(Supplier<Expression> operand, Set<String> operators) {
    Expression left = operand.get();
    while (tokens.peek().kind() == Kind.OPERATOR && operators.contains(tokens.peek().text())) {
      Token operator = tokens.next();
      left = new Expression.Arithmetic(operator.text(), left, operand.get());
    }
    return left;
  }

  private Expression signed(boolean withFilters) {
    Expression operand;
    if (tokens.isOperator("-") || tokens.isOperator("+")) {
      boolean negative = tokens.next().text().equals("-");
      tokens.enter();
      operand = new Expression.Sign(negative, signed(false));
      tokens.leave();
    } else {
      operand = primary();
    }
    operand = postfix(operand);
    return withFilters ? filtersAndTests(operand) : operand;
  }

  private Expression filtersAndTests(Expression operand) {
    Expression expression = operand;
    while (true) {
      if (tokens.skipOperator("|")) {
        expression = filter(expression);
      } else if (tokens.skipName("is")) {
        expression = test(expression);
      } else if (tokens.isOperator("(")) {
        expression = new Expression.Call(expression, callArguments());
      } else {
        return expression;
      }
    }
  }

  private Expression test(Expression input) {
    boolean negated = tokens.skipName("not");
    Token name = tokens.expect(Kind.NAME);
    Expression test = new Expression.Test(input, name.text(), testArguments());
    return negated ? new Expression.Not(test) : test;
  }

  /// A test takes its one argument with or without brackets.
  private CallArguments testArguments() {
    if (tokens.isOperator("(")) {
      return callArguments();
    }
    Token token = tokens.peek();
    boolean argument =
        switch (token.kind()) {
          case STRING, INTEGER, FLOAT -> true;
          case NAME -> !Set.of("else", "or", "and", "is", "if", "in", "not").contains(token.text());
          case OPERATOR -> token.text().equals("[") || token.text().equals("{");
          default -> false;
        };
    return argument
        ? new CallArguments(List.of(postfix(primary())), List.of())
        : CallArguments.NONE;
  }

  private Expression postfix(Expression object) {
    Expression expression = object;
    while (true) {
      if (tokens.skipOperator(".")) {
        Token name = tokens.next();
        expression =
            switch (name.kind()) {
              case NAME -> new Expression.Member(expression, name.text());
              case INTEGER -> new Expression.Item(expression, integer(name));
              default -> throw tokens.unexpected(name);
            };
      } else if (tokens.isOperator("[")) {
        expression = subscript(expression);
      } else if (tokens.isOperator("(")) {
        expression = new Expression.Call(expression, callArguments());
      } else {
        return expression;
      }
    }
  }

  private Expression subscript(Expression object) {
    tokens.expectOperator("[");
    tokens.enter();
    Expression start = tokens.isOperator(":") ? null : expression();
    Expression result;
    if (start != null && !tokens.isOperator(":")) {
      result = new Expression.Item(object, start);
    } else {
      tokens.expectOperator(":");
      Expression stop = sliceBound();
      Expression step = tokens.skipOperator(":") ? sliceBound() : null;
      result = new Expression.Slice(object, start, stop, step);
    }
    tokens.leave();
    tokens.expectOperator("]");
    return result;
  }

  private @Nullable Expression sliceBound() {
    return tokens.isOperator(":") || tokens.isOperator("]") ? null : expression();
  }

  private Expression primary() {
    Token token = tokens.next();
    return switch (token.kind()) {
      case NAME -> name(token);
      case STRING -> strings(token);
      case INTEGER -> integer(token);
      case FLOAT -> new Expression.Literal(new Value.Real(Double.parseDouble(token.text())));
      case OPERATOR ->
          switch (token.text()) {
            case "(" -> parenthesised();
            case "[" -> list();
            case "{" -> mapping();
            default -> throw tokens.unexpected(token);
          };
      default -> throw tokens.unexpected(token);
    };
  }

  private static Expression name(Token token) {
    return switch (token.text()) {
      case "true", "True" -> new Expression.Literal(Value.Bool.TRUE);
      case "false", "False" -> new Expression.Literal(Value.Bool.FALSE);
      case "none", "None" -> new Expression.Literal(Value.None.NONE);
      default -> new Expression.Name(token.text());
    };
  }

  /// String literals that stand side by side are one.
  private Expression strings(Token first) {
    StringBuilder text = new StringBuilder(first.text());
    while (tokens.peek().kind() == Kind.STRING) {
      text.append(tokens.next().text());
    }
    return new Expression.Literal(Text.trusted(text.toString()));
  }

  private static Expression integer(Token token) {
    String digits = token.text();
    try {
      boolean hexadecimal = digits.startsWith("0x") || digits.startsWith("0X");
      long value = hexadecimal ? Long.parseLong(digits.substring(2), 16) : Long.parseLong(digits);
      return new Expression.Literal(new Value.Int(value));
    } catch (NumberFormatException e) {
      throw TokenStream.error(token, "the number " + digits + " is out of range");
    }
  }

  private Expression parenthesised() {
    tokens.enter();
    Expression expression =
        tokens.isOperator(")") ? new Expression.SequenceLiteral(List.of(), true) : expressions();
    tokens.leave();
    tokens.expectOperator(")");
    return expression;
  }

  private Expression list() {
    tokens.enter();
    List<Expression> items = new ArrayList<>();
    while (!tokens.isOperator("]")) {
      items.add(expression());
      if (!tokens.skipOperator(",")) {
        break;
      }
    }
    tokens.leave();
    tokens.expectOperator("]");
    return new Expression.SequenceLiteral(List.copyOf(items), false);
  }

  private Expression mapping() {
    tokens.enter();
    List<Expression.Entry> entries = new ArrayList<>();
    while (!tokens.isOperator("}")) {
      Expression key = expression();
      tokens.expectOperator(":");
      entries.add(new Expression.Entry(key, expression()));
      if (!tokens.skipOperator(",")) {
        break;
      }
    }
    tokens.leave();
    tokens.expectOperator("}");
    return new Expression.MappingLiteral(List.copyOf(entries));
  }
}
