package dev.weft.platform.gateway;

import dev.weft.functions.instance.ControlApi;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.gateway.routing.Target;
import dev.weft.platform.telemetry.Invocation.WorkflowPlace;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import jakarta.inject.Singleton;
import org.jspecify.annotations.Nullable;

/// The connections to all runtimes: a pool for each event loop, so that a request and its answer
/// stay in the loop of the client's connection. A pool that all loops shared would hand out
/// whichever connection was used last, and most of a request's events would change threads.
/// **thread**: event loops.
@Singleton
final class Upstream {
  private static final int CONNECT_TIMEOUT_MILLIS = 2_000;
  private static final int KEEP_ALIVE_SECONDS = 30;

  private final SilentRuntimes silent;
  private final ThreadLocal<HttpClient> pools;

  Upstream(Vertx vertx, WeftConfig config, SilentRuntimes silent) {
    this.silent = silent;
    HttpClientOptions options =
        new HttpClientOptions()
            .setConnectTimeout(CONNECT_TIMEOUT_MILLIS)
            .setKeepAliveTimeout(KEEP_ALIVE_SECONDS)
            .setMaxPoolSize(config.gateway().upstreamConnections())
            .setTcpNoDelay(true);
    this.pools = ThreadLocal.withInitial(() -> vertx.createHttpClient(options));
  }

  /// Opens a request to an instance's runtime, and tells what runtimes are told of every request.
  Future<HttpClientRequest> open(Target target, GatewayRequest request, String path) {
    return pools
        .get()
        .request(
            new RequestOptions()
                .setHost(target.address().host())
                .setPort(target.address().port())
                .setMethod(HttpMethod.POST)
                .setURI(path)
                .putHeader("Authorization", target.address().authorization()))
        .map(opened -> {
          silent.add(opened.connection(), target);
          return putHeaders(opened, target, request);
        });
  }

  private static HttpClientRequest putHeaders(
      HttpClientRequest opened, Target target, GatewayRequest request) {
    opened
        .putHeader(HttpHeaders.CONTENT_TYPE, "application/json")
        .putHeader("x-request-id", request.requestId())
        .putHeader(ControlApi.FUNCTION_HEADER, request.function().name().value())
        .putHeader(ControlApi.REVISION_HEADER, target.revision().toString())
        .putHeader(ControlApi.RESPONSE_ID_HEADER, request.responseId())
        .putHeader(ControlApi.CREATED_HEADER, Long.toString(request.arrivedAt().getEpochSecond()))
        .putHeader(ControlApi.SEED_HEADER, Long.toString(request.seed()));
    request.trace().tell(opened.headers());
    if (request.head().stream()) {
      opened.putHeader(ControlApi.TOKENS_HEADER, "1");
    }
    WorkflowPlace workflow = request.workflow();
    putIfPresent(opened, ControlApi.WORKFLOW_HEADER, workflow.workflow());
    putIfPresent(opened, ControlApi.STAGE_HEADER, workflow.stage());
    putIfPresent(opened, ControlApi.PARENT_HEADER, workflow.parent());
    return opened;
  }

  private static void putIfPresent(HttpClientRequest opened, String name, @Nullable String value) {
    if (value != null) {
      opened.putHeader(name, value);
    }
  }
}
