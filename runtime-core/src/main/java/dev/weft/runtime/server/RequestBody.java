package dev.weft.runtime.server;

import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiError.Category;
import dev.weft.runtime.server.openai.ApiException;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpVersion;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Collects a request's body on its event loop, within a number of bytes and a time. Settles once.
final class RequestBody {
  private final Vertx vertx;
  private final HttpServerRequest request;
  private final int maxBytes;
  private final Consumer<byte[]> onBody;
  private final Consumer<Throwable> onError;
  private final Buffer collected = Buffer.buffer();
  private @Nullable Long timer;
  private boolean settled;

  private RequestBody(
      Vertx vertx,
      int maxBytes,
      HttpServerRequest request,
      Consumer<byte[]> onBody,
      Consumer<Throwable> onError) {
    this.vertx = vertx;
    this.request = request;
    this.maxBytes = maxBytes;
    this.onBody = onBody;
    this.onError = onError;
  }

  static void read(
      Vertx vertx,
      ServerSettings settings,
      HttpServerRequest request,
      Consumer<byte[]> onBody,
      Consumer<Throwable> onError) {
    var body = new RequestBody(vertx, settings.maxBodyBytes(), request, onBody, onError);
    body.start(settings.bodyTimeout().toMillis());
  }

  private void start(long timeoutMillis) {
    String encoding = request.getHeader(HttpHeaders.CONTENT_ENCODING);
    if (encoding != null && !encoding.equalsIgnoreCase("identity")) {
      refuse(
          ApiError.of(
              Category.INVALID,
              "A request body with a Content-Encoding is not supported here.",
              null,
              "unsupported_content_encoding"));
      return;
    }
    if (declaredBytes() > maxBytes) {
      refuse(tooLarge());
      return;
    }
    timer = vertx.setTimer(timeoutMillis, _ -> refuse(timedOut()));
    request.handler(this::add);
    request.endHandler(_ -> settle(() -> onBody.accept(collected.getBytes())));
    request.exceptionHandler(e -> settle(() -> onError.accept(e)));
  }

  private void add(Buffer chunk) {
    if (settled) {
      return;
    }
    if (collected.length() + (long) chunk.length() > maxBytes) {
      refuse(tooLarge());
      return;
    }
    collected.appendBuffer(chunk);
  }

  private long declaredBytes() {
    String length = request.getHeader(HttpHeaders.CONTENT_LENGTH);
    if (length == null) {
      return 0;
    }
    try {
      return Long.parseLong(length);
    } catch (NumberFormatException e) {
      // The HTTP decoder refuses such a header; a number beyond 64 bits is too large all the same.
      return Long.MAX_VALUE;
    }
  }

  /// The rest of the body will not be read, so the connection cannot be used again.
  private void refuse(ApiError error) {
    settle(() -> {
      // HTTP/2 has no such header: there only this request's stream ends.
      if (request.version() != HttpVersion.HTTP_2) {
        request.response().putHeader(HttpHeaders.CONNECTION, HttpHeaders.CLOSE);
      }
      onError.accept(new ApiException(error));
    });
  }

  private void settle(Runnable then) {
    if (settled) {
      return;
    }
    settled = true;
    if (timer != null) {
      vertx.cancelTimer(timer);
    }
    then.run();
  }

  private ApiError tooLarge() {
    return ApiError.of(
        Category.TOO_LARGE,
        "The request body is larger than %d bytes.".formatted(maxBytes),
        null,
        "request_too_large");
  }

  private static ApiError timedOut() {
    return ApiError.of(
        Category.TIMED_OUT, "The request body did not arrive in time.", null, "request_timeout");
  }
}
