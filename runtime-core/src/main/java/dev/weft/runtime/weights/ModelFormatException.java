package dev.weft.runtime.weights;

/// A model's files are not what they must be: truncated, changed, malformed, or of a family or type
/// that is not known. The message says which file, where and why, in words for the person who
/// deployed it; it holds no machine path beyond the file's own name.
public final class ModelFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final int LENGTH_MAX = 1000;

  public ModelFormatException(String message) {
    super(printable(message));
  }

  public ModelFormatException(String message, Throwable cause) {
    super(printable(message), cause);
  }

  /// Messages quote names from files; what could steer a terminal or forge a line of a log is
  /// replaced, and length is bounded.
  private static String printable(String message) {
    String bounded =
        message.length() <= LENGTH_MAX ? message : message.substring(0, LENGTH_MAX) + " ...";
    return bounded.replaceAll("\\p{C}", "\uFFFD");
  }
}
