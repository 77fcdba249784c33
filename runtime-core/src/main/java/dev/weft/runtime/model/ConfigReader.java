package dev.weft.runtime.model;

import dev.weft.runtime.weights.ModelFormatException;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/// Reads a model's settings with bounds on each.
record ConfigReader(ConfigSource source) {
  ModelFormatException failure(String reason) {
    return new ModelFormatException("%s: %s".formatted(source.fileName(), reason));
  }

  /// A setting from 1 to `maximum` that must be there.
  int count(ConfigKey key, int maximum) {
    return optionalCount(key, maximum).orElseThrow(() -> missing(key));
  }

  /// A setting from 1 to `maximum`, or `fallback` where it is absent.
  int count(ConfigKey key, int maximum, int fallback) {
    return optionalCount(key, maximum).orElse(fallback);
  }

  Optional<Integer> optionalCount(ConfigKey key, int maximum) {
    String name = source.name(key);
    OptionalLong value = source.integer(name);
    if (value.isEmpty()) {
      return Optional.empty();
    }
    long count = value.getAsLong();
    if (count < 1 || count > maximum) {
      throw failure("'%s' is %d; it must be 1 to %d".formatted(name, count, maximum));
    }
    return Optional.of((int) count);
  }

  /// A setting above 0 and up to `maximum` that must be there.
  double positive(ConfigKey key, double maximum) {
    return optionalPositive(source.name(key), maximum).orElseThrow(() -> missing(key));
  }

  /// A setting above 0 and up to `maximum`, or empty where it is absent.
  OptionalDouble optionalPositive(String name, double maximum) {
    OptionalDouble value = source.number(name);
    if (value.isPresent() && !(value.getAsDouble() > 0 && value.getAsDouble() <= maximum)) {
      throw failure(
          "'%s' is %s; it must be above 0 and up to %s"
              .formatted(name, value.getAsDouble(), maximum));
    }
    return value;
  }

  boolean flag(ConfigKey key, boolean fallback) {
    return source.bool(source.name(key)).orElse(fallback);
  }

  Optional<String> string(ConfigKey key) {
    return source.string(source.name(key));
  }

  ModelFormatException missing(ConfigKey key) {
    return failure("'%s' is missing".formatted(source.name(key)));
  }
}
