package dev.weft.runtime.engine;

import java.util.List;

/// Lets text through until a stop string comes. Holds back what may be the start of one, wherever
/// tokens split it.
final class StopStrings {
  private final List<String> stops;
  private final StringBuilder held = new StringBuilder();
  private boolean found;

  StopStrings(List<String> stops) {
    this.stops = stops;
  }

  /// Whether a stop string has come. Nothing passes any more.
  boolean found() {
    return found;
  }

  /// The text that is certain now.
  String add(String text) {
    if (found) {
      return "";
    }
    held.append(text);
    int stop = firstStop();
    if (stop >= 0) {
      found = true;
      held.setLength(stop);
      return takeAll();
    }
    int certain = held.length() - possibleStart();
    String out = held.substring(0, certain);
    held.delete(0, certain);
    return out;
  }

  /// What was held back, when no text follows.
  String finish() {
    return takeAll();
  }

  private String takeAll() {
    String out = held.toString();
    held.setLength(0);
    return out;
  }

  private int firstStop() {
    int first = -1;
    for (String stop : stops) {
      int index = held.indexOf(stop);
      if (index >= 0 && (first < 0 || index < first)) {
        first = index;
      }
    }
    return first;
  }

  /// Length of the longest end of the held text that begins a stop string.
  private int possibleStart() {
    int longest = 0;
    for (String stop : stops) {
      int length = Math.min(stop.length() - 1, held.length());
      while (length > longest && !endsWith(stop, length)) {
        length--;
      }
      longest = Math.max(longest, length);
    }
    return longest;
  }

  private boolean endsWith(String stop, int length) {
    int start = held.length() - length;
    for (int i = 0; i < length; i++) {
      if (held.charAt(start + i) != stop.charAt(i)) {
        return false;
      }
    }
    return true;
  }
}
