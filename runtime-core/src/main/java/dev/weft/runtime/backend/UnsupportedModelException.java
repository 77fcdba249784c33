package dev.weft.runtime.backend;

/// A backend cannot run a model as asked (a quantisation, a type, a size); the message says what
/// and what it can.
public final class UnsupportedModelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public UnsupportedModelException(String message) {
    super(message);
  }
}
