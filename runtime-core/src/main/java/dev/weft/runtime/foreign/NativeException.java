package dev.weft.runtime.foreign;

/// A native library or function failed. The message says which, and why in the library's terms.
public final class NativeException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /// @param what the library or function
  /// @param why continues the sentence
  public NativeException(String what, String why) {
    super(what + " " + why);
  }

  public NativeException(String what, String why, Throwable cause) {
    super(what + " " + why, cause);
  }

  /// A function returned a status that is not success.
  public static NativeException status(String function, int code, String meaning) {
    return new NativeException(function, "failed with status %d: %s".formatted(code, meaning));
  }
}
