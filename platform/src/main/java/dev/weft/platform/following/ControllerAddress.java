package dev.weft.platform.following;

import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.control.RuntimeAddress;
import jakarta.inject.Singleton;
import java.net.URI;
import java.nio.file.Path;

/// Where a gateway's controller listens, and the key for it, as configured.
@Singleton
final class ControllerAddress {
  private final WeftConfig.Controller config;

  ControllerAddress(WeftConfig config) {
    this.config = config.controller();
  }

  /// Throws [IllegalStateException] with what to set when it is not configured.
  RuntimeAddress get() {
    URI url =
        config
            .url()
            .orElseThrow(() ->
                new IllegalStateException(
                    "a gateway needs weft.controller.url, such as http://127.0.0.1:8080"));
    if (!"http".equals(url.getScheme()) || url.getHost() == null) {
      throw new IllegalStateException(
          "weft.controller.url is '%s': it is written http://HOST:PORT".formatted(url));
    }
    Path file =
        config
            .keyFile()
            .orElseThrow(() ->
                new IllegalStateException(
                    "a gateway needs weft.controller.key-file, a file with an API key of the scope"
                        + " gateway"));
    String key =
        WeftHome.read(file)
            .map(String::strip)
            .orElseThrow(() -> new IllegalStateException("there is no " + file));
    return new RuntimeAddress(url.getHost(), url.getPort() < 0 ? 80 : url.getPort(), key);
  }
}
