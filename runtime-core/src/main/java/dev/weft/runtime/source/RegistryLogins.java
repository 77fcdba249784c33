package dev.weft.runtime.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;

/// Who this machine is at registries, by the file that Docker's tools and others read:
/// `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. Programs that keep passwords
/// (`credHelpers`, `credsStore`) are not run.
final class RegistryLogins {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String DOCKER_HUB = "index.docker.io";

  private final JsonNode config;

  private RegistryLogins(JsonNode config) {
    this.config = config;
  }

  /// A registry's login.
  ///
  /// @param known whether the file names the registry
  /// @param basic user and password as basic authentication sends them
  /// @param helper the program that keeps them instead
  record Login(boolean known, Optional<String> basic, Optional<String> helper) {
    @Override
    public String toString() {
      return "Login[known=%s, helper=%s]".formatted(known, helper);
    }
  }

  static RegistryLogins of(Map<String, String> environment) {
    String home = environment.getOrDefault("HOME", System.getProperty("user.home"));
    String given = environment.getOrDefault("DOCKER_CONFIG", "").strip();
    Path file =
        (given.isEmpty() ? Path.of(home, ".docker") : Path.of(given)).resolve("config.json");
    try {
      return new RegistryLogins(
          Files.isReadable(file)
              ? JSON.readTree(Files.readAllBytes(file))
              : JSON.createObjectNode());
    } catch (JsonProcessingException e) {
      // Without the cause, whose text may quote a password.
      throw new SourceException(Code.UNUSABLE, "%s is not JSON".formatted(file));
    } catch (IOException e) {
      throw FileTree.failure("reading " + file, e);
    }
  }

  Login of(String registry) {
    String host = registry.equals("docker.io") ? DOCKER_HUB : registry;
    boolean known = false;
    Optional<String> basic = Optional.empty();
    for (var entry : config.path("auths").properties()) {
      if (host(entry.getKey()).equals(host)) {
        known = true;
        basic = basic(entry.getValue());
      }
    }
    String helper =
        config.path("credHelpers").path(host).asText(config.path("credsStore").asText(""));
    return new Login(known, basic, Optional.of(helper).filter(name -> !name.isEmpty()));
  }

  /// `auth`, or the two parts of which it is made.
  private static Optional<String> basic(JsonNode login) {
    String auth = login.path("auth").asText("");
    if (!auth.isEmpty()) {
      return Optional.of(auth);
    }
    String user = login.path("username").asText("");
    String text = user + ":" + login.path("password").asText("");
    return user.isEmpty()
        ? Optional.empty()
        : Optional.of(Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8)));
  }

  /// Old files have whole addresses for names: `https://index.docker.io/v1/`.
  private static String host(String name) {
    return name.replaceFirst("^https?://", "").replaceFirst("/.*$", "");
  }
}
