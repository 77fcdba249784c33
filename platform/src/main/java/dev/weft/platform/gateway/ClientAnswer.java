package dev.weft.platform.gateway;

import dev.weft.platform.http.ApiError;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerResponse;

/// What the client of one request gets: a whole answer or a stream. Once anything of a stream has
/// gone out, all that follows is an event of it, errors and whole answers too. **thread**: the
/// event loop of its call.
final class ClientAnswer {
  static final String EVENT_STREAM = "text/event-stream";

  private static final Buffer HELD_COMMENT = Buffer.buffer(": waiting for an instance\n\n");
  private static final Buffer DONE = Buffer.buffer("data: [DONE]\n\n");

  private final HttpServerResponse response;

  ClientAnswer(HttpServerResponse response) {
    this.response = response;
  }

  /// Has the connection's end run this, whether the client left or had got all.
  void onClose(Runnable closed) {
    response.closeHandler(_ -> closed.run());
    response.exceptionHandler(_ -> closed.run());
  }

  /// Whether anything went to the client.
  boolean begun() {
    return response.headWritten();
  }

  void beginStream() {
    if (!begun()) {
      response
          .setStatusCode(200)
          .setChunked(true)
          .putHeader(HttpHeaders.CONTENT_TYPE, EVENT_STREAM + "; charset=utf-8")
          .putHeader(HttpHeaders.CACHE_CONTROL, "no-cache")
          // Asks proxies not to gather the stream.
          .putHeader("x-accel-buffering", "no");
    }
  }

  /// Tells who reads a stream that it will begin.
  void writeHeld() {
    response.write(HELD_COMMENT);
  }

  /// Writes what came of a runtime's stream, which pauses while the client reads more slowly.
  void write(Buffer frames, HttpClientResponse from) {
    if (frames.length() == 0) {
      return;
    }
    response.write(frames);
    if (response.writeQueueFull()) {
      from.pause();
      response.drainHandler(_ -> from.resume());
    }
  }

  /// Writes what makes the last frame of a broken stream whole.
  void writeSeam(Buffer seam) {
    if (seam.length() > 0) {
      response.write(seam);
    }
  }

  /// Ends a stream of which everything was written.
  void end() {
    response.end();
  }

  /// Ends a stream that lacks but the mark of its end.
  void endWithMark() {
    response.end(DONE);
  }

  /// Ends a stream with a frame.
  void end(Buffer frame) {
    response.end(frame);
  }

  /// Ends with a whole answer, as a runtime gave it.
  void end(HttpClientResponse answer, Buffer body) {
    if (begun()) {
      response.write(Buffer.buffer("data: ").appendBuffer(singleLine(body)).appendString("\n\n"));
      response.end();
      return;
    }
    String retryAfter = answer.getHeader("Retry-After");
    if (retryAfter != null) {
      response.putHeader("Retry-After", retryAfter);
    }
    String type = answer.getHeader(HttpHeaders.CONTENT_TYPE);
    response
        .setStatusCode(answer.statusCode())
        .putHeader(HttpHeaders.CONTENT_TYPE, type == null ? "application/json" : type)
        .end(body);
  }

  /// Ends with an error.
  void end(ApiError error) {
    if (begun()) {
      response.write(error.toEvent());
      response.end();
    } else {
      // A stream may have been begun and nothing sent of it.
      response.setChunked(false);
      response.headers().remove("x-accel-buffering");
      error.send(response);
    }
  }

  /// JSON has no raw line breaks inside strings, so they can go.
  private static Buffer singleLine(Buffer json) {
    return Buffer.buffer(json.toString().replace("\n", "").replace("\r", ""));
  }
}
