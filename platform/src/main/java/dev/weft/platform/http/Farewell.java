package dev.weft.platform.http;

import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpVersion;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Duration;

/// Has callers come on other connections, and so to other gateways, while this one ends. New
/// connections are led elsewhere by then; one that is kept would go on bringing requests here, the
/// last of them to a process that is no longer there.
@Singleton
public final class Farewell {
  /// After [RequestIds], before [Authentication].
  private static final int BEFORE_ALL_ROUTES = 15_000;

  private volatile boolean begun;
  private volatile long lastCallNanos;

  void register(@Observes Filters filters) {
    filters.register(this::say, BEFORE_ALL_ROUTES);
  }

  /// From now on every answer is its connection's last.
  public void begin() {
    lastCallNanos = System.nanoTime();
    begun = true;
  }

  public boolean begun() {
    return begun;
  }

  /// How long nobody has called since [#begin]. Who only asks after this process's health does not
  /// count.
  public Duration quiet() {
    return Duration.ofNanos(System.nanoTime() - lastCallNanos);
  }

  private void say(RoutingContext context) {
    if (begun && !Authentication.PUBLIC_PATHS.contains(context.normalizedPath())) {
      lastCallNanos = System.nanoTime();
      if (context.request().version() == HttpVersion.HTTP_2) {
        context.request().connection().goAway(0);
      } else {
        context.response().putHeader(HttpHeaders.CONNECTION, HttpHeaders.CLOSE);
      }
    }
    context.next();
  }
}
