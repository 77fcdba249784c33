package dev.weft.runtime.model;

import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.Weights;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A tensor that a spec needs.
///
/// @param shape where a dimension of [#ANY] stands for any
/// @param optional whether it may be absent (or there and unused)
record TensorRequirement(String name, Shape shape, boolean optional) {
  static final long ANY = 0;

  static TensorRequirement of(String name, long... dimensions) {
    return new TensorRequirement(name, Shape.of(dimensions), false);
  }

  static TensorRequirement optional(String name, long... dimensions) {
    return new TensorRequirement(name, Shape.of(dimensions), true);
  }

  /// Holds weights against what the spec needs: everything is there, in its shape, and there is
  /// nothing that the spec would leave out of the computation.
  ///
  /// @param unreadable tensors of types that are not supported, by canonical name, with their type
  static void check(
      String fileName,
      List<TensorRequirement> requirements,
      Weights weights,
      Map<String, String> unreadable) {
    Set<String> known = new HashSet<>();
    for (TensorRequirement requirement : requirements) {
      known.add(requirement.name());
      requirement.check(fileName, weights, unreadable);
    }
    for (String name : weights.names()) {
      if (!known.contains(name)) {
        throw failure(
            fileName,
            "tensor '%s' has no place in this architecture; computing without it would be wrong"
                .formatted(name));
      }
    }
  }

  private void check(String fileName, Weights weights, Map<String, String> unreadable) {
    if (weights.find(name).isEmpty()) {
      if (unreadable.containsKey(name)) {
        throw failure(
            fileName,
            "tensor '%s' has type %s; F32, F16 and BF16 are supported"
                .formatted(name, unreadable.get(name)));
      }
      if (!optional) {
        throw failure(fileName, "tensor '%s' %s is missing".formatted(name, shape));
      }
      return;
    }
    Shape actual = weights.tensor(name).shape();
    if (!fits(actual)) {
      throw failure(
          fileName,
          "tensor '%s' has shape %s; the configuration says %s".formatted(name, actual, shape));
    }
  }

  private boolean fits(Shape actual) {
    if (actual.rank() != shape.rank()) {
      return false;
    }
    for (int i = 0; i < shape.rank(); i++) {
      if (shape.dimension(i) != ANY && shape.dimension(i) != actual.dimension(i)) {
        return false;
      }
    }
    return true;
  }

  private static ModelFormatException failure(String fileName, String reason) {
    return new ModelFormatException("%s: %s".formatted(fileName, reason));
  }
}
