package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.JsonBody;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One request being answered. Methods may be called from any thread unless they say otherwise;
/// what they send is sent on the connection's context.
final class Call {
  private static final Logger log = LoggerFactory.getLogger(Call.class);
  private static final byte[] NO_BODY = {};
  private static final String JSON = "application/json";

  private final Vertx vertx;
  private final Context context;
  private final HttpServerRequest request;
  private final Departure departure;
  private final byte[] body;
  private final String segment;

  /// Starts a call, on its event loop.
  Call(Vertx vertx, Context context, HttpServerRequest request) {
    this(vertx, context, request, new Departure(), NO_BODY, "");
    request.response().closeHandler(_ -> departure.happen());
    request.response().exceptionHandler(_ -> departure.happen());
  }

  private Call(
      Vertx vertx,
      Context context,
      HttpServerRequest request,
      Departure departure,
      byte[] body,
      String segment) {
    this.vertx = vertx;
    this.context = context;
    this.request = request;
    this.departure = departure;
    this.body = body;
    this.segment = segment;
  }

  Call with(byte[] body) {
    return new Call(vertx, context, request, departure, body, segment);
  }

  Call at(String segment) {
    return new Call(vertx, context, request, departure, body, segment);
  }

  HttpMethod method() {
    return request.method();
  }

  String path() {
    return request.path() == null ? "" : request.path();
  }

  /// What stands in the path for the route's `{name}`.
  String segment() {
    return segment;
  }

  byte[] body() {
    return body;
  }

  /// The body as a JSON object, or a 400.
  ObjectNode json() {
    return JsonBody.parse(body);
  }

  Optional<String> header(String name) {
    return Optional.ofNullable(request.getHeader(name));
  }

  /// A header that is a whole number, or a 400.
  OptionalLong longHeader(String name) {
    Optional<String> value = header(name);
    if (value.isEmpty()) {
      return OptionalLong.empty();
    }
    try {
      return OptionalLong.of(Long.parseLong(value.get()));
    } catch (NumberFormatException e) {
      throw ApiError.invalid(
          name, "invalid_header", "The header '%s' is not a whole number.".formatted(name));
    }
  }

  void putHeader(String name, String value) {
    request.response().putHeader(name, value);
  }

  Vertx vertx() {
    return vertx;
  }

  /// The response, for use on the connection's context only.
  HttpServerResponse response() {
    return request.response();
  }

  void onContext(Runnable action) {
    context.runOnContext(_ -> action.run());
  }

  /// Whether the client has left.
  boolean departed() {
    return departure.happened();
  }

  /// Runs `action` once the client has left before its answer was complete; at once if it has.
  void onDeparture(Runnable action) {
    departure.then(action);
  }

  /// The answer is complete or has been given up: the connection may close without meaning.
  void complete() {
    departure.forget();
  }

  void respond(int status, JsonNode json) {
    respond(status, JSON, json.toString().getBytes(StandardCharsets.UTF_8));
  }

  void respond(int status, String contentType, byte[] bytes) {
    onContext(() -> send(status, contentType, bytes));
  }

  /// Answers with the error that `failure` stands for, unless an answer has begun.
  void fail(Throwable failure) {
    fail(ErrorMapping.of(failure));
  }

  void fail(ApiError error) {
    onContext(() -> sendError(error));
  }

  /// Sends an error, on the context.
  void sendError(ApiError error) {
    Duration retryAfter = error.retryAfter();
    if (retryAfter != null && !response().headWritten()) {
      response()
          .putHeader(
              HttpHeaders.RETRY_AFTER.toString(),
              Long.toString(Math.max(1, retryAfter.toSeconds())));
    }
    send(error.status(), JSON, error.toBytes());
  }

  private void send(int status, String contentType, byte[] bytes) {
    HttpServerResponse response = response();
    if (response.headWritten() || response.closed()) {
      log.atDebug().addKeyValue("status", status).log("an answer came too late");
      return;
    }
    complete();
    response
        .setStatusCode(status)
        .putHeader(HttpHeaders.CONTENT_TYPE, contentType)
        .end(Buffer.buffer(bytes));
  }
}
