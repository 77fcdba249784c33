package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.template.Statement.Branch;
import dev.weft.runtime.tokenizer.template.Statement.Parameter;
import dev.weft.runtime.tokenizer.template.Statement.Target;
import dev.weft.runtime.tokenizer.template.Token.Kind;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/// Parses a template's data and tags.
final class StatementParser {
  private final TokenStream tokens;
  private final ExpressionParser expressions;
  private int loops;

  private StatementParser(TokenStream tokens) {
    this.tokens = tokens;
    this.expressions = new ExpressionParser(tokens);
  }

  static List<Statement> parse(String source) {
    StatementParser parser = new StatementParser(new TokenStream(Lexer.tokens(source)));
    List<Statement> template = parser.body(Set.of());
    parser.tokens.expect(Kind.END);
    return template;
  }

  /// Statements up to a block whose name is in `ends`, which is left in place behind its brace.
  private List<Statement> body(Collection<String> ends) {
    tokens.enter();
    List<Statement> statements = new ArrayList<>();
    while (true) {
      Token token = tokens.next();
      switch (token.kind()) {
        case DATA -> statements.add(new Statement.Data(Text.trusted(token.text())));
        case VARIABLE_BEGIN -> {
          statements.add(new Statement.Output(expressions.expressions(), token.line()));
          tokens.expect(Kind.VARIABLE_END);
        }
        case BLOCK_BEGIN -> {
          Token name = tokens.peek();
          if (name.kind() == Kind.NAME && ends.contains(name.text())) {
            tokens.leave();
            return List.copyOf(statements);
          }
          statement(statements);
        }
        case END -> {
          if (ends.isEmpty()) {
            tokens.leave();
            return List.copyOf(statements);
          }
          throw TokenStream.error(token, "'" + String.join("' or '", ends) + "' is missing");
        }
        default -> throw tokens.unexpected(token);
      }
    }
  }

  /// The body, and its end tag, which takes nothing more.
  private List<Statement> bodyTo(String end) {
    tokens.expect(Kind.BLOCK_END);
    List<Statement> body = body(List.of(end));
    tokens.next();
    tokens.expect(Kind.BLOCK_END);
    return body;
  }

  private void statement(List<Statement> statements) {
    Token name = tokens.expect(Kind.NAME);
    switch (name.text()) {
      case "if" -> statements.add(conditional());
      case "for" -> statements.add(loop(name));
      case "set" -> statements.add(set(name));
      case "macro" -> statements.add(macro());
      case "call" -> statements.add(callBlock());
      case "filter" -> statements.add(filterBlock(name));
      case "with" -> statements.add(with(name));
      case "generation" -> statements.addAll(bodyTo("endgeneration"));
      case "break" -> statements.add(jump(name, new Statement.Break()));
      case "continue" -> statements.add(jump(name, new Statement.Continue()));
      default -> throw TokenStream.error(name, "the tag '" + name.text() + "' is not supported");
    }
  }

  private Statement conditional() {
    List<Branch> branches = new ArrayList<>();
    List<Statement> otherwise = List.of();
    while (true) {
      int line = tokens.peek().line();
      Expression test = expressions.expressions();
      tokens.expect(Kind.BLOCK_END);
      branches.add(new Branch(test, body(List.of("elif", "else", "endif")), line));
      String end = tokens.next().text();
      if (end.equals("elif")) {
        continue;
      }
      if (end.equals("else")) {
        otherwise = bodyTo("endif");
      } else {
        tokens.expect(Kind.BLOCK_END);
      }
      return new Statement.If(List.copyOf(branches), otherwise);
    }
  }

  private Statement loop(Token name) {
    Target target = target();
    if (!tokens.skipName("in")) {
      throw TokenStream.error(tokens.peek(), "'in' is missing");
    }
    Expression items = expressions.loopItems();
    Expression filter = tokens.skipName("if") ? expressions.expression() : null;
    if (tokens.isName("recursive")) {
      throw TokenStream.error(tokens.peek(), "recursive loops are not supported");
    }
    tokens.expect(Kind.BLOCK_END);
    loops++;
    List<Statement> body = body(List.of("else", "endfor"));
    loops--;
    List<Statement> otherwise = List.of();
    if (tokens.next().text().equals("else")) {
      otherwise = bodyTo("endfor");
    } else {
      tokens.expect(Kind.BLOCK_END);
    }
    return new Statement.For(target, items, filter, body, otherwise, name.line());
  }

  private Statement jump(Token name, Statement jump) {
    if (loops == 0) {
      throw TokenStream.error(name, "'" + name.text() + "' outside of a loop");
    }
    tokens.expect(Kind.BLOCK_END);
    return jump;
  }

  private Statement set(Token name) {
    Target target = target();
    if (tokens.skipOperator("=")) {
      Expression value = expressions.expressions();
      tokens.expect(Kind.BLOCK_END);
      return new Statement.Set(target, value, name.line());
    }
    Expression filter = expressions.filters();
    return new Statement.SetBlock(target, filter, bodyTo("endset"), name.line());
  }

  private Statement macro() {
    String name = tokens.expect(Kind.NAME).text();
    List<Parameter> parameters = parameters();
    return new Statement.Macro(name, parameters, outsideLoops("endmacro"));
  }

  private Statement callBlock() {
    List<Parameter> parameters = tokens.isOperator("(") ? parameters() : List.of();
    Token start = tokens.peek();
    if (!(expressions.expression() instanceof Expression.Call call)) {
      throw TokenStream.error(start, "'call' takes the call of a macro");
    }
    List<Statement> body = outsideLoops("endcall");
    return new Statement.CallBlock(
        call, new Statement.Macro("caller", parameters, body), start.line());
  }

  private Statement filterBlock(Token name) {
    Expression first = expressions.filter(null);
    Expression filter = first;
    while (tokens.skipOperator("|")) {
      filter = expressions.filter(filter);
    }
    return new Statement.FilterBlock(filter, bodyTo("endfilter"), name.line());
  }

  private Statement with(Token name) {
    List<Statement.Set> names = new ArrayList<>();
    while (tokens.peek().kind() == Kind.NAME) {
      Target target = target();
      tokens.expectOperator("=");
      names.add(new Statement.Set(target, expressions.expression(), name.line()));
      if (!tokens.skipOperator(",")) {
        break;
      }
    }
    return new Statement.Block(List.copyOf(names), bodyTo("endwith"));
  }

  /// A macro's body does not see the loop that it stands in.
  private List<Statement> outsideLoops(String end) {
    int outer = loops;
    loops = 0;
    List<Statement> body = bodyTo(end);
    loops = outer;
    return body;
  }

  private List<Parameter> parameters() {
    tokens.expectOperator("(");
    List<Parameter> parameters = new ArrayList<>();
    while (!tokens.isOperator(")")) {
      String name = tokens.expect(Kind.NAME).text();
      Expression otherwise = tokens.skipOperator("=") ? expressions.expression() : null;
      parameters.add(new Parameter(name, otherwise));
      if (!tokens.skipOperator(",")) {
        break;
      }
    }
    tokens.expectOperator(")");
    return List.copyOf(parameters);
  }

  private Target target() {
    Target first = oneTarget();
    if (!tokens.isOperator(",")) {
      return first;
    }
    List<Target> targets = new ArrayList<>(List.of(first));
    while (tokens.skipOperator(",")) {
      if (tokens.isName("in") || tokens.isOperator("=") || tokens.isOperator(")")) {
        break;
      }
      targets.add(oneTarget());
    }
    return new Target.Unpacked(List.copyOf(targets));
  }

  private Target oneTarget() {
    if (tokens.skipOperator("(")) {
      tokens.enter();
      Target inner = target();
      tokens.leave();
      tokens.expectOperator(")");
      return inner;
    }
    String name = tokens.expect(Kind.NAME).text();
    return tokens.skipOperator(".")
        ? new Target.NamespaceMember(name, tokens.expect(Kind.NAME).text())
        : new Target.Variable(name);
  }
}
