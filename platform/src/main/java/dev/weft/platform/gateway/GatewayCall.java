package dev.weft.platform.gateway;

import dev.weft.functions.instance.ControlApi;
import dev.weft.platform.control.Decisions;
import dev.weft.platform.control.Demand;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.gateway.activator.Activator;
import dev.weft.platform.gateway.routing.Target;
import dev.weft.platform.http.ApiError;
import dev.weft.platform.http.ApiException;
import dev.weft.platform.telemetry.GatewayMetrics;
import dev.weft.platform.telemetry.Invocation;
import dev.weft.platform.telemetry.Invocation.Tokens;
import dev.weft.platform.telemetry.Invocation.WorkflowPlace;
import dev.weft.platform.telemetry.InvocationSink;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One request on its way: held until an instance is ready, sent, and its answer pumped back. All
/// of it happens on the event loop of the client's connection.
///
/// A failed runtime is no failure of the request: until the first frame of an answer has gone to
/// the client it is sent again, to another instance or to the same once it is back, within the wait
/// budget. From then on another instance of the same revision, or the same once it is back, is
/// given what the client has got, in tokens, and goes on; the wait budget begins anew at the seam.
/// What cannot go on ends with an error event; it is never cut in silence. A request that breaks
/// [#MAX_BREAKS] runtimes is not given to another.
final class GatewayCall {
  private static final Logger LOG = LoggerFactory.getLogger(GatewayCall.class);
  static final int MAX_BREAKS = 3;

  /// How often runtimes may send a stream away before its end, without having failed.
  private static final int MAX_MOVES = 16;

  private static final long REFUSED_PAUSE_MILLIS = 50;
  private static final String EVENT_STREAM = "text/event-stream";
  private static final Buffer HELD_COMMENT = Buffer.buffer(": waiting for an instance\n\n");

  /// What a runtime says when the gateway's snapshot was behind.
  private static final Set<String> STALE =
      Set.of("model_not_loaded", "model_loading", "model_unloaded", "model_not_found", "draining");

  /// How a runtime ends a stream that may go on elsewhere.
  private static final Set<String> MOVES = Set.of("model_unloaded", "draining");

  /// What all calls share.
  record Shared(
      Vertx vertx,
      Activator activator,
      Upstream upstream,
      Fleet fleet,
      Demand demand,
      Decisions decisions,
      GatewayMetrics metrics,
      InvocationSink journal,
      Duration heartbeat,
      long maxAnswerBytes) {}

  private final Shared shared;
  private final Context context;
  private final GatewayRequest request;
  private final HttpServerResponse response;
  private final boolean streamed;

  private Activator.@Nullable Waiter waiter;
  private @Nullable HttpClientRequest upstream;
  private @Nullable Target target;
  private long heartbeatTimer = -1;
  private long heldSince;
  private Duration held = Duration.ZERO;
  private int breaks;
  private int moves;
  private boolean finished;
  private @Nullable Tokens tokens;

  /// What of a stream went to the client, and when the last runtime to write it was lost.
  private final StreamProgress progress = new StreamProgress();

  private @Nullable Instant seamAt;

  private final Attempts attempts = new Attempts();

  GatewayCall(Shared shared, Context context, GatewayRequest request, HttpServerResponse response) {
    this.shared = shared;
    this.context = context;
    this.request = request;
    this.response = response;
    this.streamed = request.head().stream();
  }

  void start() {
    shared.metrics().begin();
    response.closeHandler(_ -> clientLeft());
    response.exceptionHandler(_ -> clientLeft());
    admit();
  }

  // Waiting for an instance.

  private void admit() {
    if (finished) {
      return;
    }
    try {
      switch (shared.activator().admit(wish())) {
        case Activator.Admission.Ready(var ready) -> send(ready);
        case Activator.Admission.Held(var held) -> hold(held);
      }
    } catch (ApiException e) {
      fail(e.error());
    }
  }

  /// A stream goes on in the revision that began it, and waits anew for that.
  private Activator.Wish wish() {
    Target before = target;
    Instant seam = seamAt;
    return seam == null || before == null
        ? new Activator.Wish(request.function(), request.arrivedAt(), null)
        : new Activator.Wish(request.function(), seam, before.revision());
  }

  private void decided(Decisions.Kind kind, @Nullable Target where, String reason) {
    shared
        .decisions()
        .request(
            request.function().name(),
            request.requestId(),
            kind,
            where == null ? null : where.device(),
            reason);
  }

  private void hold(Activator.Waiter held) {
    decided(Decisions.Kind.HELD, null, "no instance is ready");
    waiter = held;
    heldSince = System.nanoTime();
    if (streamed) {
      beginStream();
      response.write(HELD_COMMENT);
      heartbeatTimer =
          shared
              .vertx()
              .setPeriodic(
                  shared.heartbeat().toMillis(), _ -> context.runOnContext(_ -> heartbeat()));
    }
    held.target().onComplete(result -> context.runOnContext(_ -> released(result)));
  }

  private void heartbeat() {
    if (waiter != null && !finished) {
      response.write(HELD_COMMENT);
    }
  }

  private void released(io.vertx.core.AsyncResult<Target> result) {
    waiter = null;
    stopHeartbeat();
    held = held.plusNanos(System.nanoTime() - heldSince);
    if (finished) {
      return;
    }
    if (result.succeeded()) {
      send(result.result());
    } else if (result.cause() instanceof ApiException turnedAway) {
      fail(turnedAway.error());
    } else {
      fail(unexpected(result.cause()));
    }
  }

  // Sending.

  private void send(Target chosen) {
    target = chosen;
    decided(Decisions.Kind.ROUTED, chosen, chosen.reason());
    shared
        .upstream()
        .open(chosen, progress.begun() ? ControlApi.CONTINUE : request.operation().path())
        .onSuccess(opened -> send(chosen, opened))
        .onFailure(failure -> broken(chosen, failure));
  }

  private void send(Target chosen, HttpClientRequest opened) {
    if (finished) {
      opened.reset();
      return;
    }
    upstream = opened;
    opened
        .putHeader(HttpHeaders.CONTENT_TYPE, "application/json")
        .putHeader("x-request-id", request.requestId())
        .putHeader(ControlApi.FUNCTION_HEADER, request.function().name().value())
        .putHeader(ControlApi.REVISION_HEADER, chosen.revision().toString())
        .putHeader(ControlApi.RESPONSE_ID_HEADER, request.responseId())
        .putHeader(ControlApi.CREATED_HEADER, Long.toString(request.arrivedAt().getEpochSecond()))
        .putHeader(ControlApi.SEED_HEADER, Long.toString(request.seed()));
    if (streamed) {
      opened.putHeader(ControlApi.TOKENS_HEADER, "1");
    }
    if (!progress.begun() && attempts.inTime(shared.fleet().snapshot())) {
      opened.putHeader(ControlApi.ADMISSION_HEADER, ControlApi.ADMISSION_IN_TIME);
    }
    WorkflowPlace workflow = request.workflow();
    putIfPresent(opened, ControlApi.WORKFLOW_HEADER, workflow.workflow());
    putIfPresent(opened, ControlApi.STAGE_HEADER, workflow.stage());
    putIfPresent(opened, ControlApi.PARENT_HEADER, workflow.parent());
    opened
        .send(
            progress.begun()
                ? progress.continuation(request.operation().path(), request.body())
                : request.body())
        .onSuccess(answer -> answered(chosen, answer))
        .onFailure(failure -> broken(chosen, failure));
  }

  private static void putIfPresent(HttpClientRequest opened, String name, @Nullable String value) {
    if (value != null) {
      opened.putHeader(name, value);
    }
  }

  /// The head of the runtime's answer has come.
  private void answered(Target chosen, HttpClientResponse answer) {
    if (finished) {
      answer.request().reset();
      return;
    }
    String type = answer.getHeader(HttpHeaders.CONTENT_TYPE);
    if (answer.statusCode() == 200 && type != null && type.startsWith(EVENT_STREAM)) {
      pump(chosen, answer);
    } else {
      gather(chosen, answer);
    }
  }

  // A whole answer.

  private void gather(Target chosen, HttpClientResponse answer) {
    AnswerBody.gather(
        answer,
        shared.maxAnswerBytes(),
        body -> gathered(chosen, answer, body),
        () -> fail(ApiError.broken(502, "answer_too_large", "the answer is larger than allowed")),
        failure -> broken(chosen, failure));
  }

  private void gathered(Target chosen, HttpClientResponse answer, Buffer body) {
    if (finished) {
      return;
    }
    int status = answer.statusCode();
    String code = status < 400 ? null : ErrorCode.read(body);
    if (code != null && status == 429 && code.startsWith(ControlApi.NOT_IN_TIME)) {
      notInTime(chosen, code, ErrorCode.readMessage(body));
      return;
    }
    boolean stale = code != null && (status == 503 || status == 404) && STALE.contains(code);
    // Who reads a stream already cannot try again himself.
    if (stale || (progress.begun() && status == 429)) {
      again();
      return;
    }
    if (status == 401 || status == 403) {
      LOG.atError()
          .addKeyValue("device", deviceName())
          .log("a runtime refuses the gateway's secret");
      fail(ApiError.broken(502, "runtime_refused", "the runtime refused the gateway"));
      return;
    }
    if (response.headWritten()) {
      response.write(Buffer.buffer("data: ").appendBuffer(singleLine(body)).appendString("\n\n"));
      response.end();
      finish(status, code);
      return;
    }
    if (status == 200) {
      tokens = UsageReader.readTail(body.getBytes()).orElse(null);
    }
    String retryAfter = answer.getHeader("Retry-After");
    if (retryAfter != null) {
      response.putHeader("Retry-After", retryAfter);
    }
    String type = answer.getHeader(HttpHeaders.CONTENT_TYPE);
    response
        .setStatusCode(status)
        .putHeader(HttpHeaders.CONTENT_TYPE, type == null ? "application/json" : type)
        .end(body);
    finish(status, code);
  }

  /// Another device may be in time. When none is, the request waits for its turn, and the
  /// controller hears that the function could do with another instance.
  private void notInTime(Target chosen, String code, String message) {
    shared.metrics().refuse(code);
    decided(Decisions.Kind.REFUSED, chosen, code + ": " + message);
    Optional<Target> other =
        shared.activator().elsewhere(request.function(), attempts.refused(chosen.device()));
    if (other.isPresent()) {
      send(other.get());
      return;
    }
    attempts.becomePatient();
    shared.demand().crowd(request.function().name(), Instant.now());
    decided(Decisions.Kind.QUEUED, null, "no device is in time, so it waits for its turn");
    admit();
  }

  /// A moment later the gateway's snapshot is no longer behind the runtime.
  private void again() {
    decided(Decisions.Kind.MOVED, target, "its instance is no longer there, or refused it");
    if (progress.begun()) {
      shared.metrics().resume();
    } else {
      shared.metrics().retry();
    }
    shared.vertx().setTimer(REFUSED_PAUSE_MILLIS, _ -> context.runOnContext(_ -> retry()));
  }

  private void retry() {
    if (finished) {
      return;
    }
    Instant until = wish().since().plus(request.function().spec().scaling().waitBudget());
    if (Instant.now().isAfter(until)) {
      fail(
          ApiError.unavailable(
              "model_loading", "the function is not ready yet", Duration.ofSeconds(1)));
    } else {
      admit();
    }
  }

  // A stream.

  private void pump(Target chosen, HttpClientResponse answer) {
    SseFilter filter = new SseFilter(request.head().includeUsage(), progress);
    progress.take();
    beginStream();
    answer.handler(chunk -> {
      if (finished) {
        return;
      }
      Buffer passed;
      try {
        passed = filter.accept(chunk);
      } catch (IllegalStateException e) {
        answer.request().reset();
        fail(unexpected(e));
        return;
      }
      if (passed.length() > 0) {
        response.write(passed);
        if (response.writeQueueFull()) {
          answer.pause();
          response.drainHandler(_ -> answer.resume());
        }
      }
    });
    answer.exceptionHandler(failure -> cut(chosen, filter, failure));
    answer.endHandler(
        _ -> cut(chosen, filter, new IllegalStateException("the stream ended without [DONE]")));
  }

  /// The runtime's stream is over, as it should be or not.
  private void cut(Target chosen, SseFilter filter, Throwable failure) {
    if (finished) {
      return;
    }
    upstream = null;
    Buffer seam = filter.seam();
    if (seam.length() > 0) {
      response.write(seam);
    }
    Buffer error = progress.error();
    if (progress.done()) {
      response.end();
      finish(200, null);
    } else if (progress.whole()) {
      response.end("data: [DONE]\n\n");
      finish(200, null);
    } else if (error == null) {
      broken(chosen, failure);
    } else if (MOVES.contains(ErrorCode.readFrame(error))
        && progress.known()
        && moves++ < MAX_MOVES) {
      seamAt = Instant.now();
      again();
    } else {
      response.end(error);
      finish(502, "stream_error");
    }
  }

  private void beginStream() {
    if (!response.headWritten()) {
      response
          .setStatusCode(200)
          .setChunked(true)
          .putHeader(HttpHeaders.CONTENT_TYPE, EVENT_STREAM + "; charset=utf-8")
          .putHeader(HttpHeaders.CACHE_CONTROL, "no-cache")
          // Asks proxies not to gather the stream.
          .putHeader("x-accel-buffering", "no");
    }
  }

  // Ends.

  /// The runtime's connection failed.
  private void broken(Target chosen, Throwable failure) {
    if (finished) {
      return;
    }
    upstream = null;
    breaks++;
    LOG.atWarn()
        .addKeyValue("device", chosen.device())
        .addKeyValue("request", request.requestId())
        .addKeyValue("failure", String.valueOf(failure.getMessage()))
        .log("a runtime failed a request");
    shared.fleet().suspect(chosen.device(), chosen.address());
    if (progress.begun()) {
      seamAt = Instant.now();
    }
    if (breaks >= MAX_BREAKS || (progress.begun() && !progress.known())) {
      fail(
          ApiError.broken(
              502, "runtime_failed", "the runtime ended while it answered this request"));
    } else {
      again();
    }
  }

  private void clientLeft() {
    if (finished) {
      return;
    }
    Activator.Waiter waiting = waiter;
    if (waiting != null) {
      held = held.plusNanos(System.nanoTime() - heldSince);
      shared.activator().leave(waiting);
    }
    finish(Invocation.CLIENT_LEFT, "client_left");
    HttpClientRequest running = upstream;
    if (running != null) {
      running.reset();
    }
  }

  private void fail(ApiError error) {
    if (finished) {
      return;
    }
    decided(Decisions.Kind.TURNED_AWAY, target, error.code() + ": " + error.message());
    if (response.headWritten()) {
      response.write(error.toEvent());
      response.end();
    } else {
      // A stream may have been begun and nothing sent of it.
      response.setChunked(false);
      response.headers().remove("x-accel-buffering");
      error.send(response);
    }
    finish(error.status(), error.code());
  }

  private void finish(int status, @Nullable String errorCode) {
    finished = true;
    stopHeartbeat();
    long now = System.nanoTime();
    long firstTokenNanos = progress.firstTokenNanos();
    Tokens counted = progress.usage() == null ? tokens : progress.usage();
    Target last = target;
    Invocation invocation =
        new Invocation(
            request.requestId(),
            request.function().name(),
            last == null ? null : last.revision(),
            last == null ? null : last.device(),
            request.operation().telemetryName(),
            status,
            errorCode,
            request.key().id(),
            request.workflow(),
            request.arrivedAt(),
            held,
            firstTokenNanos == 0
                ? null
                : Duration.ofNanos(firstTokenNanos - request.arrivedNanos()),
            Duration.ofNanos(now - request.arrivedNanos()),
            counted);
    shared.metrics().record(invocation);
    shared.journal().record(invocation);
  }

  private void stopHeartbeat() {
    if (heartbeatTimer >= 0) {
      shared.vertx().cancelTimer(heartbeatTimer);
      heartbeatTimer = -1;
    }
  }

  private String deviceName() {
    Target last = target;
    return last == null ? "none" : last.device().value();
  }

  private static ApiError unexpected(Throwable failure) {
    LOG.atError().setCause(failure).log("a request failed unexpectedly");
    return ApiError.broken(500, "internal_error", "the gateway failed on this request");
  }

  /// JSON has no raw line breaks inside strings, so they can go.
  private static Buffer singleLine(Buffer json) {
    return Buffer.buffer(json.toString().replace("\n", "").replace("\r", ""));
  }
}
