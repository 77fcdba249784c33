package dev.weft.platform.control;

import java.util.List;

/// What is known of when a function is called, as it is kept.
///
/// @param lastNanos since 1970, when it was called last
/// @param gaps how many gaps between its calls count, of each class of lengths
public record Calls(long lastNanos, List<Double> gaps) {
  public Calls {
    gaps = List.copyOf(gaps);
  }
}
