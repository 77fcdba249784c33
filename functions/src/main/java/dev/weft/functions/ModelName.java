package dev.weft.functions;

import java.util.Optional;

/// What callers give as `model`: a function's name, or `base:adapter`.
///
/// @param function the one that is called: the adapter, where there are two
/// @param base the function that it must be an adapter of; empty when only one was named
public record ModelName(FunctionName function, Optional<FunctionName> base) {
  /// A function by its own name.
  public static ModelName of(FunctionName function) {
    return new ModelName(function, Optional.empty());
  }

  /// Reads a name; empty for what cannot be one.
  public static Optional<ModelName> parse(String text) {
    int colon = text.indexOf(':');
    try {
      return Optional.of(
          colon < 0
              ? new ModelName(new FunctionName(text), Optional.empty())
              : new ModelName(
                  new FunctionName(text.substring(colon + 1)),
                  Optional.of(new FunctionName(text.substring(0, colon)))));
    } catch (InvalidManifestException e) {
      return Optional.empty();
    }
  }

  /// Whether a function of this name and spec is meant.
  public boolean fits(FunctionName name, FunctionSpec spec) {
    return function.equals(name)
        && (base.isEmpty() || base.equals(Optional.ofNullable(spec.adapterOf())));
  }

  @Override
  public String toString() {
    return base.map(name -> name + ":" + function).orElseGet(function::value);
  }
}
