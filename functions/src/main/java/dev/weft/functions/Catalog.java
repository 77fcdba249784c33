package dev.weft.functions;

import java.util.List;
import java.util.Optional;

/// The ready-made functions that come with Weft, as the manifests under `catalog/`.
public final class Catalog {
  private static final List<String> NAMES = List.of("smollm2", "minilm");

  private Catalog() {}

  /// Every function of the catalog, in the order in which to show them.
  public static List<Function> functions() {
    return NAMES.stream().map(Catalog::text).map(Manifests::parseOne).toList();
  }

  /// The function of that name.
  public static Optional<Function> find(String name) {
    return manifest(name).map(Manifests::parseOne);
  }

  /// The manifest of that name as it was written, comments and all.
  public static Optional<String> manifest(String name) {
    return NAMES.contains(name) ? Optional.of(text(name)) : Optional.empty();
  }

  private static String text(String name) {
    return Resources.text("/catalog/" + name + ".yaml");
  }
}
