package dev.weft.runtime.tensor;

import java.util.List;

/// Dimensions of a tensor, outermost first: a projection is `[outputs, inputs]`, row-major.
public record Shape(List<Long> dimensions) {
  public Shape {
    dimensions = List.copyOf(dimensions);
  }

  public static Shape of(long... dimensions) {
    return new Shape(java.util.Arrays.stream(dimensions).boxed().toList());
  }

  public int rank() {
    return dimensions.size();
  }

  public long dimension(int index) {
    return dimensions.get(index);
  }

  /// Product of all dimensions; throws [ArithmeticException] past 64 bits.
  public long elementCount() {
    return dimensions.stream().reduce(1L, Math::multiplyExact);
  }

  /// Length of a row: the last dimension.
  public long rowLength() {
    return dimensions.getLast();
  }

  /// Number of rows: the product of all dimensions but the last.
  public long rowCount() {
    return dimensions.stream().limit(rank() - 1L).reduce(1L, Math::multiplyExact);
  }

  @Override
  public String toString() {
    return dimensions.toString();
  }
}
