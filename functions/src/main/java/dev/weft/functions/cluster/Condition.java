package dev.weft.functions.cluster;

import java.time.Instant;

/// One thing that is true of an object, or not, or not known, and why.
///
/// @param type what it is about, `Ready`
/// @param status `True`, `False` or `Unknown`
/// @param reason a word for programs, in CamelCase
/// @param message the reason as a sentence
/// @param lastTransitionTime when the status last changed
/// @param observedGeneration the generation of the object that this was said of
public record Condition(
    String type,
    String status,
    String reason,
    String message,
    Instant lastTransitionTime,
    Long observedGeneration) {
  /// What summarises the others.
  public static final String READY = "Ready";

  public static final String TRUE = "True";
  public static final String FALSE = "False";
  public static final String UNKNOWN = "Unknown";

  /// Whether it says the same, whenever it was said.
  public boolean says(Condition other) {
    return type.equals(other.type)
        && status.equals(other.status)
        && reason.equals(other.reason)
        && message.equals(other.message);
  }
}
