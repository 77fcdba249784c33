package dev.weft.functions;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
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
    String resource = "/catalog/" + name + ".yaml";
    try (InputStream in = Catalog.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IllegalStateException("the catalog lacks " + resource);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(resource, e);
    }
  }
}
