package dev.weft.platform.cli;

/// Something went wrong that the person at the keyboard can act on: what, and what to do next.
final class CliException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String next;

  /// @param next what to do about it, a sentence or a command
  CliException(String message, String next) {
    super(message);
    this.next = next;
  }

  String next() {
    return next;
  }
}
