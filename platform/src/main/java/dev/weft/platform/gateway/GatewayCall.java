package dev.weft.platform.gateway;

import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
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
import dev.weft.platform.telemetry.InvocationSink;
import io.vertx.core.AsyncResult;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
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
/// [Attempts#MAX_BREAKS] runtimes is not given to another.
final class GatewayCall {
  private static final Logger LOG = LoggerFactory.getLogger(GatewayCall.class);
  private static final long REFUSED_PAUSE_MILLIS = 50;
  private static final long LEAST_TOLD_MILLIS = 10;

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
  private final boolean streamed;
  private final CallRecord notes;
  private final ClientAnswer client;
  private final Hold hold;
  private final Attempts attempts = new Attempts();

  /// What of a stream went to the client, and when the last runtime to write it was lost.
  private final StreamProgress progress = new StreamProgress(this::arrived);

  private @Nullable Instant seamAt;

  private @Nullable HttpClientRequest upstream;
  private @Nullable Target target;
  private @Nullable Tokens tokens;
  private boolean finished;

  GatewayCall(Shared shared, Context context, GatewayRequest request, HttpServerResponse response) {
    this.shared = shared;
    this.context = context;
    this.request = request;
    streamed = request.head().stream();
    notes = new CallRecord(shared.decisions(), shared.metrics(), shared.journal(), request);
    client = new ClientAnswer(response);
    hold = new Hold(shared.vertx(), context);
  }

  void start() {
    notes.began();
    shared.demand().called(request.function().name(), request.arrivedAt());
    client.onClose(this::clientLeft);
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

  /// A runtime that goes on says what it did about keys and values.
  private void arrived(String what) {
    notes.decided(Decisions.Kind.MOVED, target, new Why("keys_and_values", what));
  }

  private void hold(Activator.Waiter waiter) {
    notes.decided(Decisions.Kind.HELD, null, new Why("no_instance", "no instance is ready"));
    hold.begin(waiter, this::released);
    if (streamed) {
      client.beginStream();
      client.writeHeld();
      hold.meanwhile(shared.heartbeat(), client::writeHeld);
    }
  }

  private void released(AsyncResult<Target> result) {
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
    notes.sent(chosen);
    shared
        .upstream()
        .open(chosen, request, progress.begun() ? ControlApi.CONTINUE : request.operation().path())
        .onSuccess(opened -> send(chosen, opened))
        .onFailure(failure -> broken(chosen, failure));
  }

  private void send(Target chosen, HttpClientRequest opened) {
    if (finished) {
      opened.reset();
      return;
    }
    upstream = opened;
    if (!progress.begun()) {
      tellDeadline(opened);
    }
    opened
        .send(
            progress.begun()
                ? progress.continuation(
                    request.operation().path(), request.body(), chosen.address())
                : request.body())
        .onSuccess(answer -> answered(chosen, answer))
        .onFailure(failure -> broken(chosen, failure));
  }

  /// What it waited already counts when its first token is due, wherever it waited.
  private void tellDeadline(HttpClientRequest opened) {
    if (attempts.inTime(shared.fleet().reachable())) {
      opened.putHeader(ControlApi.ADMISSION_HEADER, ControlApi.ADMISSION_IN_TIME);
    }
    long millis = waited().toMillis();
    if (millis >= LEAST_TOLD_MILLIS) {
      opened.putHeader(ControlApi.WAITED_HEADER, Long.toString(millis));
    }
  }

  /// Since the request came, without its cold start.
  private Duration waited() {
    return Duration.ofNanos(System.nanoTime() - request.arrivedNanos()).minus(hold.total());
  }

  /// The head of the runtime's answer has come.
  private void answered(Target chosen, HttpClientResponse answer) {
    if (finished) {
      answer.request().reset();
      return;
    }
    String type = answer.getHeader(HttpHeaders.CONTENT_TYPE);
    if (answer.statusCode() == 200 && type != null && type.startsWith(ClientAnswer.EVENT_STREAM)) {
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
    notes.took(answer.getHeader(ControlApi.TIMES_HEADER));
    int status = answer.statusCode();
    String code = status < 400 ? null : ErrorCode.read(body);
    switch (Verdict.of(status, code, progress.begun())) {
      case NOT_IN_TIME -> notInTime(chosen, ErrorCode.readWhy(Objects.requireNonNull(code), body));
      case AGAIN ->
          again(new Why("instance_gone", "its instance is no longer there, or refused it"));
      case SECRET_REFUSED -> {
        LOG.atError()
            .addKeyValue("device", chosen.device())
            .log("a runtime refuses the gateway's secret");
        fail(ApiError.broken(502, "runtime_refused", "the runtime refused the gateway"));
      }
      case FINAL -> {
        if (status == 200 && !client.begun()) {
          tokens = UsageReader.readTail(body.getBytes()).orElse(null);
        }
        client.end(answer, body);
        finish(status, code);
      }
    }
  }

  /// Another device may be in time. When none is, the controller hears that the function could do
  /// with another instance, and the request is asked about again while it could be in time
  /// somewhere; then it waits for its turn.
  private void notInTime(Target chosen, Why why) {
    notes.refused(chosen, why);
    Set<DeviceId> refused =
        attempts.refused(chosen.device(), why.values().containsKey(ControlApi.LATE_ALONE));
    Optional<Target> other = shared.activator().elsewhere(request.function(), refused);
    if (other.isPresent()) {
      send(other.get());
      return;
    }
    shared.demand().crowd(request.function().name(), Instant.now());
    Map<String, Double> refusals = Map.of("refusals", (double) refused.size());
    Optional<Duration> pause =
        shared.activator().askAgain(request.function(), waited(), attempts.hopeless());
    if (pause.isPresent()) {
      notes.decided(
          Decisions.Kind.QUEUED,
          null,
          new Why(
              "no_device_in_time", "no device is in time now, so they are asked again", refusals));
      attempts.askAnew();
      shared.vertx().setTimer(pause.get().toMillis() + 1, _ -> context.runOnContext(_ -> asked()));
      return;
    }
    attempts.becomePatient();
    notes.decided(
        Decisions.Kind.QUEUED,
        null,
        new Why("takes_its_turn", "no device can be in time, so it waits for its turn", refusals));
    admit();
  }

  private void asked() {
    shared.activator().asked(request.function());
    admit();
  }

  /// A moment later the gateway's snapshot is no longer behind the runtime.
  private void again(Why why) {
    notes.again(target, why, progress.begun());
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
    progress.take(chosen.address());
    client.beginStream();
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
      client.write(passed, answer);
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
    notes.took(progress.times());
    client.writeSeam(filter.seam());
    Buffer error = progress.error();
    if (progress.done()) {
      client.end();
      finish(200, null);
    } else if (progress.whole()) {
      client.endWithMark();
      finish(200, null);
    } else if (error == null) {
      broken(chosen, failure);
    } else if (Verdict.moves(error) && progress.known() && attempts.moved()) {
      seamAt = Instant.now();
      again(new Why("instance_leaves", "its instance leaves the device"));
    } else {
      client.end(error);
      finish(502, "stream_error");
    }
  }

  // Ends.

  /// The runtime's connection failed.
  private void broken(Target chosen, Throwable failure) {
    if (finished) {
      return;
    }
    upstream = null;
    LOG.atWarn()
        .addKeyValue("device", chosen.device())
        .addKeyValue("request", request.requestId())
        .addKeyValue("failure", String.valueOf(failure.getMessage()))
        .log("a runtime failed a request");
    shared.fleet().suspect(chosen.device(), chosen.address());
    if (progress.begun()) {
      seamAt = Instant.now();
    }
    if (attempts.broke() && (!progress.begun() || progress.known())) {
      again(new Why("runtime_failed", "its runtime failed"));
    } else {
      fail(
          ApiError.broken(
              502, "runtime_failed", "the runtime ended while it answered this request"));
    }
  }

  private void clientLeft() {
    if (finished) {
      return;
    }
    hold.leave(shared.activator());
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
    notes.decided(
        Decisions.Kind.TURNED_AWAY,
        target,
        new Why(error.code(), error.code() + ": " + error.message()));
    client.end(error);
    finish(error.status(), error.code());
  }

  private void finish(int status, @Nullable String errorCode) {
    finished = true;
    Tokens counted = progress.usage() == null ? tokens : progress.usage();
    notes.ended(
        new CallRecord.End(
            status, errorCode, target, hold.total(), progress.firstTokenNanos(), counted));
  }

  private static ApiError unexpected(Throwable failure) {
    LOG.atError().setCause(failure).log("a request failed unexpectedly");
    return ApiError.broken(500, "internal_error", "the gateway failed on this request");
  }
}
