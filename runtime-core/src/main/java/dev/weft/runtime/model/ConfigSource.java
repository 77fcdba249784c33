package dev.weft.runtime.model;

import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/// Where a model's settings are written: a `config.json` or a GGUF file's metadata. A setting of
/// the wrong type is a [dev.weft.runtime.weights.ModelFormatException]; one that is absent (or
/// null) is empty.
sealed interface ConfigSource permits GgufConfig, JsonConfig {
  /// The file's name, for messages.
  String fileName();

  /// The name that this source has for `key`.
  String name(ConfigKey key);

  OptionalLong integer(String name);

  OptionalDouble number(String name);

  Optional<Boolean> bool(String name);

  Optional<String> string(String name);
}
