package dev.weft.runtime.tokenizer.template;

/// A piece of a template's source.
///
/// @param text the data, name, operator or number as written, or a string's value
record Token(Kind kind, String text, int line) {
  enum Kind {
    DATA,
    VARIABLE_BEGIN,
    VARIABLE_END,
    BLOCK_BEGIN,
    BLOCK_END,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind wanted, String wantedText) {
    return kind == wanted && text.equals(wantedText);
  }

  String describe() {
    return kind == Kind.END ? "the end of the template" : "'" + text + "'";
  }
}
