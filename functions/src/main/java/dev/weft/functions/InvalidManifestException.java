package dev.weft.functions;

/// A manifest says something that cannot be meant; [#field] names the place as a dotted path, such
/// as `spec.model.sources[1]`, and the message says what is wrong with it.
public final class InvalidManifestException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final String field;

  public InvalidManifestException(String field, String message) {
    super(message);
    this.field = field;
  }

  /// The dotted path of the place; empty when the text as a whole is meant.
  public String field() {
    return field;
  }

  /// One line for people: the place and what is wrong there.
  public String describe() {
    return field.isEmpty() ? getMessage() : field + ": " + getMessage();
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }

  static void requireAtLeast(String field, int value, int least) {
    if (value < least) {
      throw new InvalidManifestException(field, "%d is less than %d".formatted(value, least));
    }
  }
}
