package dev.weft.platform.simulation;

/// A file is not what it should be; the message says which and why.
public final class FileFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public FileFormatException(String message) {
    super(message);
  }
}
