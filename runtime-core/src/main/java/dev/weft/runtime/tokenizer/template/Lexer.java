package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import dev.weft.runtime.tokenizer.template.Token.Kind;
import java.util.ArrayList;
import java.util.List;

/// Cuts a source into tokens and applies the white space rules: the first newline after a block or
/// comment is dropped (`trim_blocks`), as are spaces between the start of a line and a block or
/// comment (`lstrip_blocks`); `-` strips all white space on its side, `+` keeps it.
final class Lexer {
  private static final List<String> OPERATORS = List.of("//", "**", "==", "!=", ">=", "<=");
  private static final String SINGLE_OPERATORS = "+-*/%~[](){}=<>.:|,";

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int line = 1;
  private boolean lineStarting = true;

  private Lexer(String source) {
    String unix = source.replace("\r\n", "\n").replace('\r', '\n');
    this.source = unix.endsWith("\n") ? unix.substring(0, unix.length() - 1) : unix;
  }

  static List<Token> tokens(String source) {
    Lexer lexer = new Lexer(source);
    lexer.run();
    return lexer.tokens;
  }

  private void run() {
    while (at < source.length()) {
      int tag = nextTag(at);
      if (tag < 0) {
        data(source.substring(at), source.length());
        break;
      }
      char kind = source.charAt(tag + 1);
      int inside = tag + 2;
      char sign = inside < source.length() ? source.charAt(inside) : ' ';
      data(before(tag, kind, sign), tag);
      advance(sign == '-' || sign == '+' ? inside + 1 : inside);
      switch (kind) {
        case '#' -> comment();
        case '{' -> expression(Kind.VARIABLE_BEGIN, Kind.VARIABLE_END, "}}");
        default -> {
          if (!raw()) {
            expression(Kind.BLOCK_BEGIN, Kind.BLOCK_END, "%}");
          }
        }
      }
    }
    add(Kind.END, "");
  }

  private int nextTag(int from) {
    for (int i = source.indexOf('{', from); i >= 0; i = source.indexOf('{', i + 1)) {
      if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return -1;
  }

  /// The data in front of a tag, as far as the white space rules leave it.
  private String before(int tag, char kind, char sign) {
    String data = source.substring(at, tag);
    if (sign == '-') {
      return WhiteSpace.stripEnd(data);
    }
    if (sign == '+' || kind == '{') {
      return data;
    }
    int lineStart = data.lastIndexOf('\n') + 1;
    boolean startsLine = lineStart > 0 || lineStarting;
    return startsLine && WhiteSpace.isAll(data, lineStart) ? data.substring(0, lineStart) : data;
  }

  private void data(String data, int end) {
    if (!data.isEmpty()) {
      add(Kind.DATA, data);
    }
    advance(end);
  }

  private void comment() {
    int end = source.indexOf("#}", at);
    if (end < 0) {
      throw error("a comment is not closed");
    }
    char sign = end > at ? source.charAt(end - 1) : ' ';
    advance(end + 2);
    afterTag(sign, true);
  }

  /// `{% raw %} ... {% endraw %}`: everything between is data.
  private boolean raw() {
    int name = WhiteSpace.skip(source, at);
    if (!source.startsWith("raw", name)) {
      return false;
    }
    int close = WhiteSpace.skip(source, name + 3);
    boolean strips = source.startsWith("-%}", close);
    if (!strips && !source.startsWith("%}", close)) {
      return false;
    }
    advance(close + (strips ? 3 : 2));
    if (strips) {
      advance(WhiteSpace.skip(source, at));
    }
    lineStarting = at > 0 && source.charAt(at - 1) == '\n';
    for (int tag = source.indexOf("{%", at); tag >= 0; tag = source.indexOf("{%", tag + 2)) {
      char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
      int word = WhiteSpace.skip(source, sign == '-' || sign == '+' ? tag + 3 : tag + 2);
      int end = source.startsWith("endraw", word) ? WhiteSpace.skip(source, word + 6) : -1;
      if (end >= 0) {
        char endSign = source.charAt(Math.min(end, source.length() - 1));
        int percent = endSign == '-' || endSign == '+' ? end + 1 : end;
        if (source.startsWith("%}", percent)) {
          data(before(tag, '%', sign), tag);
          advance(percent + 2);
          afterTag(endSign, true);
          return true;
        }
      }
    }
    throw error("'raw' is not closed");
  }

  /// @param sign what stands in front of the closing brace
  /// @param trims whether a newline right after the tag belongs to it
  private void afterTag(char sign, boolean trims) {
    int start = at;
    if (sign == '-') {
      advance(WhiteSpace.skip(source, at));
    } else if (trims && sign != '+' && source.startsWith("\n", at)) {
      advance(at + 1);
    }
    lineStarting = at > start && source.charAt(at - 1) == '\n';
  }

  private void expression(Kind begin, Kind end, String close) {
    int opened = line;
    add(begin, close.equals("}}") ? "{{" : "{%");
    int brackets = 0;
    while (true) {
      advance(WhiteSpace.skip(source, at));
      if (at >= source.length()) {
        throw TemplateErrors.error(opened, "a tag is not closed with '" + close + "'.");
      }
      char sign = source.charAt(at);
      boolean signed =
          (sign == '-' || (sign == '+' && end == Kind.BLOCK_END))
              && source.startsWith(close, at + 1);
      if (brackets == 0 && (signed || source.startsWith(close, at))) {
        add(end, close);
        advance(signed ? at + 3 : at + 2);
        afterTag(signed ? sign : ' ', end == Kind.BLOCK_END);
        return;
      }
      brackets += token();
    }
  }

  /// Reads one token of an expression.
  ///
  /// @return by how much it changes the count of open brackets
  private int token() {
    char first = source.charAt(at);
    if (first == '\'' || first == '"') {
      string(first);
    } else if (first >= '0' && first <= '9') {
      number();
    } else if (first == '_' || Character.isLetter(first)) {
      int end = at;
      while (end < source.length()
          && (source.charAt(end) == '_' || Character.isLetterOrDigit(source.charAt(end)))) {
        end++;
      }
      take(Kind.NAME, end);
    } else {
      return operator(first);
    }
    return 0;
  }

  private int operator(char first) {
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        take(Kind.OPERATOR, at + 2);
        return 0;
      }
    }
    if (SINGLE_OPERATORS.indexOf(first) < 0) {
      throw error("'" + first + "' is not expected");
    }
    take(Kind.OPERATOR, at + 1);
    return switch (first) {
      case '(', '[', '{' -> 1;
      case ')', ']', '}' -> -1;
      default -> 0;
    };
  }

  private void number() {
    int end = digits(at);
    Kind kind = Kind.INTEGER;
    if (source.startsWith("0x", at) || source.startsWith("0X", at)) {
      end = at + 2;
      while (end < source.length() && Character.digit(source.charAt(end), 16) >= 0) {
        end++;
      }
    } else {
      if (end + 1 < source.length() && source.charAt(end) == '.' && isDigit(end + 1)) {
        kind = Kind.FLOAT;
        end = digits(end + 1);
      }
      if (end < source.length() && (source.charAt(end) == 'e' || source.charAt(end) == 'E')) {
        boolean sign = source.startsWith("+", end + 1) || source.startsWith("-", end + 1);
        int exponent = sign ? end + 2 : end + 1;
        if (isDigit(exponent)) {
          kind = Kind.FLOAT;
          end = digits(exponent);
        }
      }
    }
    add(kind, source.substring(at, end).replace("_", ""));
    advance(end);
  }

  private int digits(int from) {
    int end = from;
    while (isDigit(end) || (end > from && source.startsWith("_", end) && isDigit(end + 1))) {
      end++;
    }
    return end;
  }

  private boolean isDigit(int index) {
    return index < source.length() && source.charAt(index) >= '0' && source.charAt(index) <= '9';
  }

  private void string(char quote) {
    int end = at + 1;
    while (end < source.length() && source.charAt(end) != quote) {
      end += source.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= source.length()) {
      throw error("a string is not closed");
    }
    add(Kind.STRING, StringEscapes.unescape(source.substring(at + 1, end)));
    advance(end + 1);
  }

  private void take(Kind kind, int end) {
    add(kind, source.substring(at, end));
    advance(end);
  }

  private void add(Kind kind, String text) {
    tokens.add(new Token(kind, text, line));
  }

  private void advance(int end) {
    for (int i = at; i < end; i++) {
      if (source.charAt(i) == '\n') {
        line++;
      }
    }
    at = end;
  }

  private ChatTemplateException error(String what) {
    return TemplateErrors.error(line, what + ".");
  }
}
