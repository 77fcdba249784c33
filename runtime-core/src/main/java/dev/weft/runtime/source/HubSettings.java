package dev.weft.runtime.source;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Where the hub and its cache are, by the variables that the hub's own tools read.
///
/// @param endpoint `HF_ENDPOINT`, by default the public hub; without a slash at its end
/// @param cache `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub`
/// @param token `HF_TOKEN`, else what `hf auth login` left in `$HF_HOME/token`
/// @param offline `HF_HUB_OFFLINE`
record HubSettings(URI endpoint, Path cache, Optional<String> token, boolean offline) {
  private static final Set<String> TRUE = Set.of("1", "true", "yes", "on");

  static HubSettings of(Map<String, String> environment) {
    String home = environment.getOrDefault("HOME", System.getProperty("user.home"));
    Path hubHome =
        value(environment, "HF_HOME")
            .map(Path::of)
            .orElseGet(() ->
                value(environment, "XDG_CACHE_HOME")
                    .map(Path::of)
                    .orElse(Path.of(home, ".cache"))
                    .resolve("huggingface"));
    Path cache = value(environment, "HF_HUB_CACHE").map(Path::of).orElse(hubHome.resolve("hub"));
    String endpoint = value(environment, "HF_ENDPOINT").orElse("https://huggingface.co");
    return new HubSettings(
        URI.create(endpoint.replaceFirst("/+$", "")),
        cache,
        value(environment, "HF_TOKEN").or(() -> storedToken(environment, hubHome)),
        isTrue(environment, "HF_HUB_OFFLINE") || isTrue(environment, "TRANSFORMERS_OFFLINE"));
  }

  private static Optional<String> storedToken(Map<String, String> environment, Path hubHome) {
    Path file = value(environment, "HF_TOKEN_PATH").map(Path::of).orElse(hubHome.resolve("token"));
    try {
      return Files.isReadable(file)
          ? Optional.of(Files.readString(file).strip()).filter(token -> !token.isEmpty())
          : Optional.empty();
    } catch (IOException e) {
      return Optional.empty(); // public models need none; a private one will say so
    }
  }

  private static Optional<String> value(Map<String, String> environment, String name) {
    return Optional.ofNullable(environment.get(name)).map(String::strip).filter(v -> !v.isEmpty());
  }

  private static boolean isTrue(Map<String, String> environment, String name) {
    return value(environment, name)
        .map(v -> TRUE.contains(v.toLowerCase(Locale.ROOT)))
        .orElse(false);
  }

  @Override
  public String toString() {
    return "HubSettings[endpoint=%s, cache=%s, offline=%s]".formatted(endpoint, cache, offline);
  }
}
