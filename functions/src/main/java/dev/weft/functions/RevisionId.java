package dev.weft.functions;

/// Names one revision: the function and a number that grows by one with each deploy. Written
/// `name-00001`.
public record RevisionId(FunctionName function, int number) {
  public RevisionId {
    if (number < 1) {
      throw new IllegalArgumentException("revision number is not positive: " + number);
    }
  }

  @Override
  public String toString() {
    return "%s-%05d".formatted(function.value(), number);
  }
}
