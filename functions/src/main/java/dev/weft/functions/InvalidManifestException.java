package dev.weft.functions;

/// A manifest says something that cannot be meant; [#field] names the place as a dotted path.
public final class InvalidManifestException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final String field;

  public InvalidManifestException(String field, String message) {
    super(message);
    this.field = field;
  }

  public String field() {
    return field;
  }
}
