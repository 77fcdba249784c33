package dev.weft.platform.state;

/// The database could not do what was asked: disk full, file damaged, closed.
public final class DatabaseException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  DatabaseException(String message, Throwable cause) {
    super(message, cause);
  }
}
