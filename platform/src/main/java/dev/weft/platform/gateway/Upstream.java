package dev.weft.platform.gateway;

import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.gateway.routing.Target;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import jakarta.inject.Singleton;

/// The one pool of connections to all runtimes.
@Singleton
final class Upstream {
  private static final int CONNECT_TIMEOUT_MILLIS = 2_000;
  private static final int KEEP_ALIVE_SECONDS = 30;

  private final HttpClient http;

  Upstream(Vertx vertx, WeftConfig config) {
    this.http =
        vertx.createHttpClient(
            new HttpClientOptions()
                .setConnectTimeout(CONNECT_TIMEOUT_MILLIS)
                .setKeepAliveTimeout(KEEP_ALIVE_SECONDS)
                .setMaxPoolSize(config.gateway().upstreamConnections())
                .setTcpNoDelay(true));
  }

  /// Opens a request to an instance's runtime.
  Future<HttpClientRequest> open(Target target, String path) {
    return http.request(
        new RequestOptions()
            .setHost(target.address().host())
            .setPort(target.address().port())
            .setMethod(HttpMethod.POST)
            .setURI(path)
            .putHeader("Authorization", target.address().authorization()));
  }
}
