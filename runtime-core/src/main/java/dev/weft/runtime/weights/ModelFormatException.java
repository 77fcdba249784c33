package dev.weft.runtime.weights;

/// A model's files are not what they must be: truncated, changed, malformed, or of a family or type
/// that is not known. The message says which file, where and why, in words for the person who
/// deployed it; it holds no machine path beyond the file's own name.
public final class ModelFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ModelFormatException(String message) {
    super(message);
  }

  public ModelFormatException(String message, Throwable cause) {
    super(message, cause);
  }
}
