package dev.weft.runtime.server;

import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.instance.InstanceManager;
import dev.weft.runtime.server.Route.Access;
import dev.weft.runtime.server.Route.Work;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiError.Category;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;

/// The HTTP server of a runtime. Closing it ends every connection; what is still running is the
/// [InstanceManager]'s to end first.
public final class RuntimeServer implements AutoCloseable {
  private static final int MAX_HEADER_BYTES = 16 << 10;
  private static final int MAX_REQUEST_LINE_BYTES = 4 << 10;
  private static final long CLOSE_SECONDS = 5;

  private final Vertx vertx;
  private final Workers workers;
  private final HttpServer http;
  private final List<Route> routes;
  private final InstanceManager.Subscription metricsUpdates;

  /// What the server serves.
  ///
  /// @param onDrain begins the end of the process, when the control API asks for it; returns at
  ///   once
  public record Served(
      InstanceManager instances, Engine engine, RuntimeMetrics metrics, Runnable onDrain) {}

  /// Starts listening. Throws when the address cannot be had.
  public RuntimeServer(Served served, ServerSettings settings) {
    this.vertx = vertx();
    this.workers = new Workers(settings.workers(), settings.maxQueuedRequests());
    var exports = new KvExports(served.metrics(), System::nanoTime);
    this.routes = routes(served, settings, exports, workers);
    this.metricsUpdates = served.instances().subscribe(served.metrics()::update);
    var router = new Router(vertx, settings, workers, routes, exports::knows);
    HttpServer server =
        vertx
            .createHttpServer(options(settings))
            .requestHandler(router::handle)
            .invalidRequestHandler(RuntimeServer::refuseInvalid);
    try {
      this.http = server.listen().toCompletionStage().toCompletableFuture().join();
    } catch (CompletionException e) {
      close();
      throw new IllegalStateException(
          "cannot listen on %s port %d: %s"
              .formatted(settings.host(), settings.port(), e.getCause()),
          e);
    }
  }

  /// The port that it listens on.
  public int port() {
    return http.actualPort();
  }

  /// Every route there is.
  public List<Route> routes() {
    return routes;
  }

  private static List<Route> routes(
      Served served, ServerSettings settings, KvExports exports, Workers workers) {
    InstanceManager instances = served.instances();
    var clock = InstantSource.system();
    var models = new ModelRequests(instances);
    var moves = new Moves(exports, new KvArrivals(served.metrics()), workers::block);
    var generation = new GenerationRoutes(models, settings, served.metrics(), clock, moves);
    var embedding = new EmbeddingRoute(models, served.metrics());
    var list = new ModelRoutes(instances, clock.instant());
    var control = new ControlRoutes(instances, settings, served.onDrain());
    var health = new Health(served.engine(), settings.stallLimit());
    return List.of(
        new Route(HttpMethod.GET, "/health", Access.OPEN, Work.IMMEDIATE, health::check),
        get("/metrics", call -> metrics(call, served.metrics())),
        inference(GenerationRoutes.CHAT, generation::chat),
        inference(GenerationRoutes.COMPLETIONS, generation::complete),
        inference(ControlApi.CONTINUE, generation::resume),
        inference("/v1/embeddings", embedding::embed),
        get("/v1/models", list::list),
        get("/v1/models/{model}", list::describe),
        control(ControlApi.LOAD, control::load),
        control(ControlApi.UNLOAD, control::unload),
        control(ControlApi.PREWARM, control::prewarm),
        control(ControlApi.INSPECT, control::inspect),
        control(ControlApi.DRAIN, control::drain),
        ticket(HttpMethod.GET, exports::send),
        ticket(HttpMethod.DELETE, exports::decline),
        get(ControlApi.STATUS, control::status),
        get(ControlApi.STATUS_STREAM, control::statusStream));
  }

  private static Route inference(String path, Route.Handler handler) {
    return new Route(HttpMethod.POST, path, Access.SECRET, Work.COMPUTE, handler);
  }

  private static Route control(String path, Route.Handler handler) {
    return new Route(HttpMethod.POST, path, Access.SECRET, Work.BLOCKING, handler);
  }

  private static Route get(String path, Route.Handler handler) {
    return new Route(HttpMethod.GET, path, Access.SECRET, Work.BLOCKING, handler);
  }

  private static Route ticket(HttpMethod method, Route.Handler handler) {
    return new Route(method, ControlApi.KV + "{ticket}", Access.TICKET, Work.BLOCKING, handler);
  }

  private static void metrics(Call call, RuntimeMetrics metrics) {
    call.respond(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        metrics.scrape().getBytes(StandardCharsets.UTF_8));
  }

  private static Vertx vertx() {
    return Vertx.vertx(
        new VertxOptions()
            .setEventLoopPoolSize(2)
            .setWorkerPoolSize(1)
            .setInternalBlockingPoolSize(1)
            // Nothing is served from files: no cache directory is made at start.
            .setFileSystemOptions(
                new FileSystemOptions()
                    .setClassPathResolvingEnabled(false)
                    .setFileCachingEnabled(false)));
  }

  private static HttpServerOptions options(ServerSettings settings) {
    return new HttpServerOptions()
        .setHost(settings.host())
        .setPort(settings.port())
        .setMaxHeaderSize(MAX_HEADER_BYTES)
        .setMaxInitialLineLength(MAX_REQUEST_LINE_BYTES)
        .setHandle100ContinueAutomatically(true)
        // Every write of a token would go through the handlers for them.
        .setPerFrameWebSocketCompressionSupported(false)
        .setPerMessageWebSocketCompressionSupported(false)
        .setTcpNoDelay(true);
  }

  /// What is not HTTP, or too long a line or header, has the shape of every other error.
  private static void refuseInvalid(HttpServerRequest request) {
    ApiError error =
        ApiError.of(
            Category.INVALID, "The request is not valid HTTP, or too long.", null, "invalid_http");
    request
        .response()
        .setStatusCode(error.status())
        .putHeader(HttpHeaders.CONTENT_TYPE, "application/json")
        .putHeader(HttpHeaders.CONNECTION, HttpHeaders.CLOSE)
        .end(Buffer.buffer(error.toBytes()));
    request.connection().close();
  }

  @Override
  public void close() {
    metricsUpdates.close();
    workers.close();
    vertx
        .close()
        .toCompletionStage()
        .toCompletableFuture()
        .orTimeout(CLOSE_SECONDS, TimeUnit.SECONDS)
        .exceptionally(_ -> null)
        .join();
  }
}
