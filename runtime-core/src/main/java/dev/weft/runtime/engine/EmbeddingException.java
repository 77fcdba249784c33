package dev.weft.runtime.engine;

/// Why an embedding did not come about.
public final class EmbeddingException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Code code;

  /// The kinds of failure.
  public enum Code {
    /// Too many texts wait; later may work.
    QUEUE_FULL,
    /// The instance was unloaded or the runtime drained.
    UNLOADED,
    /// A step failed.
    INTERNAL
  }

  public EmbeddingException(Code code, String message) {
    super(message);
    this.code = code;
  }

  public Code code() {
    return code;
  }
}
