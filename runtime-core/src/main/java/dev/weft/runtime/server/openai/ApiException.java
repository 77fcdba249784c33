package dev.weft.runtime.server.openai;

/// Ends the handling of a request with an error for its client.
public final class ApiException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient ApiError error;

  public ApiException(ApiError error) {
    // No stack trace: it is an answer, and clients decide how often it is made.
    super(error.message(), null, false, false);
    this.error = error;
  }

  public ApiError error() {
    return error;
  }
}
