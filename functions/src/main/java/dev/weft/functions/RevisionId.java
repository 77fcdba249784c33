package dev.weft.functions;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/// Names one revision: the function and a number that grows by one with each deploy. Written
/// `name-00001`, of a function of another namespace `name-00001.namespace`, on the wire too.
public record RevisionId(FunctionName function, int number) {
  public RevisionId {
    if (number < 1) {
      throw new IllegalArgumentException("revision number is not positive: " + number);
    }
  }

  /// Reads what [#toString] writes; throws [IllegalArgumentException] for anything else.
  @JsonCreator
  public static RevisionId parse(String text) {
    int dot = text.indexOf('.');
    String local = dot < 0 ? text : text.substring(0, dot);
    String namespace = dot < 0 ? "" : text.substring(dot);
    int dash = local.lastIndexOf('-');
    String digits = local.substring(dash + 1);
    if (dash < 1 || !digits.matches("\\d{5,10}") || Long.parseLong(digits) > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "'%s' is not a revision: it is written name-00001".formatted(text));
    }
    return new RevisionId(
        new FunctionName(local.substring(0, dash) + namespace), Integer.parseInt(digits));
  }

  /// Its name in the function's namespace.
  public String local() {
    return "%s-%05d".formatted(function.local(), number);
  }

  @Override
  @JsonValue
  public String toString() {
    return function.namespace().map(namespace -> local() + "." + namespace).orElseGet(this::local);
  }
}
