package dev.weft.platform.http;

import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.KeyRing;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/// Asks every request for an API key before any route sees it, but for the few public paths. What
/// is not known to be for callers of functions needs the scope `admin`, so a route that somebody
/// adds is closed until it is named here.
@Singleton
public final class Authentication {
  /// Where the console's page lies; its other files lie below.
  public static final String CONSOLE = "/console";

  /// The paths that answer without a key: liveness and readiness, the console's files, and nothing
  /// that tells of functions.
  public static final Set<String> PUBLIC_PATHS =
      Set.of(
          "/health",
          "/q/health",
          "/q/health/live",
          "/q/health/ready",
          "/q/health/started",
          CONSOLE,
          CONSOLE + "/console.css",
          CONSOLE + "/console.js");

  private static final Duration AGAIN = Duration.ofSeconds(1);
  private static final int BEFORE_ALL_ROUTES = 10_000;
  private static final String KEY = "weft.key";

  private final KeyRing keys;

  public Authentication(KeyRing keys) {
    this.keys = keys;
  }

  void register(@Observes Filters filters) {
    filters.register(this::check, BEFORE_ALL_ROUTES);
  }

  /// The key that the request came with.
  public static ApiKey keyOf(RoutingContext context) {
    ApiKey key = context.get(KEY);
    if (key == null) {
      throw new IllegalStateException("no key on " + context.request().path());
    }
    return key;
  }

  private void check(RoutingContext context) {
    String path = context.normalizedPath();
    if (PUBLIC_PATHS.contains(path)) {
      context.next();
      return;
    }
    String header = context.request().getHeader("Authorization");
    if (header == null) {
      ApiError.unauthenticated("no API key: send the header 'Authorization: Bearer weft_...'")
          .send(context.response());
      return;
    }
    Optional<ApiKey> key = keys.findByAuthorization(header);
    if (key.isEmpty() && !keys.current()) {
      ApiError.unavailable(
              "controller_unreachable",
              "this gateway cannot reach its controller and does not know the key",
              AGAIN)
          .send(context.response());
      return;
    }
    if (key.isEmpty()) {
      ApiError.unauthenticated("the API key is not known, or was revoked").send(context.response());
      return;
    }
    if (!allowed(key.get(), path)) {
      ApiError.forbidden("the API key '%s' has no scope for this".formatted(key.get().name()))
          .send(context.response());
      return;
    }
    context.put(KEY, key.get());
    context.next();
  }

  private static boolean allowed(ApiKey key, String path) {
    if (path.startsWith("/gateways/")) {
      return key.mayBeGateway();
    }
    return key.mayAdminister() || (isForCallers(path) && key.mayInvoke());
  }

  private static boolean isForCallers(String path) {
    return path.startsWith("/v1/") || path.startsWith("/functions/") || path.equals("/openapi");
  }
}
