package dev.weft.platform.console;

import dev.weft.platform.config.Role;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.http.Authentication;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.Router;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Objects;

/// The console: a page that shows devices, functions and decisions, live. Its files answer without
/// a key and hold nothing; what it shows it asks of the management API, with the key that its user
/// gives it.
@Singleton
public final class ConsoleRoutes {
  /// Nothing comes from elsewhere, nothing is written into the page's code, no other page frames
  /// it.
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self';"
          + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  private static final Map<String, String> TYPES =
      Map.of(
          "console.html", "text/html; charset=utf-8",
          "console.css", "text/css; charset=utf-8",
          "console.js", "text/javascript; charset=utf-8");

  private final Role role;

  ConsoleRoutes(WeftConfig config) {
    role = config.role();
  }

  /// A gateway alone has no management API to ask.
  void register(@Observes Router router) {
    if (!role.controller()) {
      return;
    }
    serve(router, Authentication.CONSOLE, "console.html");
    serve(router, Authentication.CONSOLE + "/console.css", "console.css");
    serve(router, Authentication.CONSOLE + "/console.js", "console.js");
  }

  private static void serve(Router router, String path, String file) {
    Buffer content = read(file);
    String type = Objects.requireNonNull(TYPES.get(file));
    router
        .get(path)
        .handler(context ->
            context
                .response()
                .putHeader("Content-Type", type)
                .putHeader("Cache-Control", "no-cache")
                .putHeader("Content-Security-Policy", POLICY)
                .putHeader("Referrer-Policy", "no-referrer")
                .putHeader("X-Content-Type-Options", "nosniff")
                .end(content));
  }

  private static Buffer read(String file) {
    try (InputStream in = ConsoleRoutes.class.getResourceAsStream("/console/" + file)) {
      return Buffer.buffer(Objects.requireNonNull(in, file).readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(file, e);
    }
  }
}
