package dev.weft.functions.instance;

import java.util.Map;

/// Why something was decided, for programs and for people.
///
/// @param code a word to count and to compare by, `fullest_batch`
/// @param text the reason as a sentence
/// @param values the figures that it was decided on, by names that end in their units where they
///   have one: `running`, `lateSeconds`, `missingBytes`
public record Why(String code, String text, Map<String, Double> values) {
  public Why {
    values = Map.copyOf(values);
  }

  /// One that no figure stands behind.
  public Why(String code, String text) {
    this(code, text, Map.of());
  }
}
