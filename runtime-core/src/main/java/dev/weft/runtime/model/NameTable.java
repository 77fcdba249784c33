package dev.weft.runtime.model;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/// How a family's safetensors names become canonical ones (see [TensorNames]). Names here are
/// without their ending `.weight` or `.bias`.
///
/// @param prefixes that may stand before every name; the first that fits is taken off
/// @param whole names outside the layers
/// @param layers what stands before a layer's number: `model.layers.`
/// @param inLayer names behind a layer's number and dot
/// @param ignored whole names, without their prefix, that no computation needs
record NameTable(
    List<String> prefixes,
    Map<String, String> whole,
    String layers,
    Map<String, String> inLayer,
    List<Pattern> ignored) {
  /// LayerNorm's parts as TensorFlow names them, which many converted BERTs keep.
  private static final Map<String, String> ENDINGS =
      Map.of("weight", "weight", "bias", "bias", "gamma", "weight", "beta", "bias");

  NameTable {
    prefixes = List.copyOf(prefixes);
    whole = Map.copyOf(whole);
    inLayer = Map.copyOf(inLayer);
    ignored = List.copyOf(ignored);
  }

  boolean ignores(String name) {
    String stripped = withoutPrefix(name);
    return ignored.stream().anyMatch(pattern -> pattern.matcher(stripped).matches());
  }

  /// The canonical name, or empty where the table has none.
  Optional<String> translate(String name) {
    String stripped = withoutPrefix(name);
    int dot = stripped.lastIndexOf('.');
    String ending = ENDINGS.get(stripped.substring(dot + 1));
    if (dot < 0 || ending == null) {
      return Optional.empty();
    }
    String stem = stripped.substring(0, dot);
    Optional<String> canonical =
        stem.startsWith(layers)
            ? translateInLayer(stem.substring(layers.length()))
            : Optional.ofNullable(whole.get(stem));
    return canonical.map(value -> value + "." + ending);
  }

  private Optional<String> translateInLayer(String rest) {
    int dot = rest.indexOf('.');
    if (dot < 1 || !rest.substring(0, dot).chars().allMatch(c -> c >= '0' && c <= '9')) {
      return Optional.empty();
    }
    return Optional.ofNullable(inLayer.get(rest.substring(dot + 1)))
        .map(part -> "blk." + rest.substring(0, dot) + "." + part);
  }

  private String withoutPrefix(String name) {
    return prefixes.stream()
        .filter(name::startsWith)
        .findFirst()
        .map(prefix -> name.substring(prefix.length()))
        .orElse(name);
  }
}
