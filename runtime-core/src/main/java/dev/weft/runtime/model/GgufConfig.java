package dev.weft.runtime.model;

import dev.weft.runtime.weights.GgufFile;
import dev.weft.runtime.weights.GgufMetadata;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/// Settings in a GGUF file's metadata.
record GgufConfig(GgufFile file, String architecture) implements ConfigSource {
  GgufMetadata metadata() {
    return file.metadata();
  }

  @Override
  public String fileName() {
    return file.fileName();
  }

  @Override
  public String name(ConfigKey key) {
    return architecture + "." + key.gguf();
  }

  @Override
  public OptionalLong integer(String name) {
    return metadata().integer(name);
  }

  @Override
  public OptionalDouble number(String name) {
    return metadata().number(name);
  }

  @Override
  public Optional<Boolean> bool(String name) {
    return metadata().bool(name);
  }

  @Override
  public Optional<String> string(String name) {
    return metadata().string(name);
  }
}
