package dev.weft.platform.state;

/// The database could not do what was asked: it is away, its disk is full, its file is damaged.
public final class DatabaseException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean away;

  DatabaseException(String message, Throwable cause, boolean away) {
    super(message, cause);
    this.away = away;
  }

  /// Whether the database cannot be used at all, so that the same may succeed later.
  public boolean away() {
    return away;
  }
}
