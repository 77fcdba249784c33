package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Token.Kind;
import java.util.List;

/// The tokens of a template with a place in them.
final class TokenStream {
  private final List<Token> tokens;
  private int at;
  private int nesting;

  TokenStream(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token peek() {
    return tokens.get(at);
  }

  Token peekNext() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  Token next() {
    Token token = tokens.get(at);
    if (token.kind() != Kind.END) {
      at++;
    }
    return token;
  }

  boolean isNext(Kind kind, String text) {
    return peek().is(kind, text);
  }

  boolean isOperator(String operator) {
    return isNext(Kind.OPERATOR, operator);
  }

  boolean isName(String name) {
    return isNext(Kind.NAME, name);
  }

  boolean skipOperator(String operator) {
    return skip(Kind.OPERATOR, operator);
  }

  boolean skipName(String name) {
    return skip(Kind.NAME, name);
  }

  Token expect(Kind kind) {
    Token token = next();
    if (token.kind() != kind) {
      throw unexpected(token);
    }
    return token;
  }

  void expectOperator(String operator) {
    Token token = next();
    if (!token.is(Kind.OPERATOR, operator)) {
      throw error(token, "'" + operator + "' is expected instead of " + token.describe());
    }
  }

  /// Call before parsing something inside brackets or a block, [#leave] after it.
  void enter() {
    nesting++;
    if (nesting > TemplateLimits.NESTING) {
      throw error(peek(), "more than " + TemplateLimits.NESTING + " levels inside one another");
    }
  }

  void leave() {
    nesting--;
  }

  ChatTemplateException unexpected(Token token) {
    return error(token, token.describe() + " is not expected");
  }

  static ChatTemplateException error(Token token, String what) {
    return TemplateErrors.error(token.line(), what + ".");
  }

  private boolean skip(Kind kind, String text) {
    if (isNext(kind, text)) {
      at++;
      return true;
    }
    return false;
  }
}
