package dev.weft.bench.load;

import java.net.URI;
import java.util.Map;

/// A model behind an OpenAI-compatible server.
///
/// @param extra members that its requests need beside OpenAI's
public record Target(URI base, String model, String key, Map<String, Object> extra) {
  public Target {
    extra = Map.copyOf(extra);
  }

  @Override
  public String toString() {
    return "%s at %s".formatted(model, base);
  }
}
