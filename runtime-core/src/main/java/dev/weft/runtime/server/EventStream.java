package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.server.openai.ApiError;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Server-sent events on one response; used on its context only. Frames are gathered until
/// [#flush], which sends the head first. Until the first flush, comments keep the connection alive.
final class EventStream {
  private static final byte[] DATA = "data: ".getBytes(StandardCharsets.UTF_8);
  private static final byte[] END = "\n\n".getBytes(StandardCharsets.UTF_8);

  /// Room for the frame of a token and its comment.
  private static final int USUAL_BYTES = 512;

  private static final Buffer KEEP_ALIVE = Buffer.buffer(": keep-alive\n\n");

  private final Call call;
  private Buffer gathered = Buffer.buffer(USUAL_BYTES);
  private @Nullable Long keepAlive;
  private boolean begun;
  private boolean ended;

  EventStream(Call call, Duration keepAliveInterval) {
    this.call = call;
    this.keepAlive =
        call.vertx().setPeriodic(keepAliveInterval.toMillis(), _ -> call.onContext(this::comment));
    call.onDeparture(() -> call.onContext(this::abandon));
  }

  void frame(ObjectNode json) {
    frame(json.toString().getBytes(StandardCharsets.UTF_8));
  }

  void frame(byte[] json) {
    gathered.appendBytes(DATA).appendBytes(json).appendBytes(END);
  }

  /// A comment that belongs to the next frame.
  void comment(String text) {
    gathered.appendString(": ").appendString(text).appendString("\n");
  }

  void flush() {
    if (gathered.length() == 0 || ended) {
      return;
    }
    stopKeepAlive();
    write(gathered);
    gathered = Buffer.buffer(USUAL_BYTES);
  }

  /// Whether anything has been sent, the head included.
  boolean begun() {
    return begun;
  }

  /// Ends the stream well.
  void done() {
    gathered.appendString("data: [DONE]\n\n");
    end();
  }

  /// Ends the stream with an error that its reader sees.
  void fail(ApiError error) {
    frame(error.toJson());
    end();
  }

  /// Nothing will be sent any more: the client is gone, or an ordinary answer is sent instead.
  void abandon() {
    ended = true;
    stopKeepAlive();
  }

  /// Whether the client must read before it is sent more; if so, `then` runs once it has.
  boolean full(Runnable then) {
    HttpServerResponse response = call.response();
    if (!begun || ended || !response.writeQueueFull()) {
      return false;
    }
    response.drainHandler(_ -> {
      response.drainHandler(null);
      then.run();
    });
    return true;
  }

  private void end() {
    flush();
    if (!ended) {
      ended = true;
      call.complete();
      call.response().end();
    }
  }

  private void comment() {
    if (keepAlive != null && !ended) {
      write(KEEP_ALIVE);
    }
  }

  private void write(Buffer bytes) {
    HttpServerResponse response = call.response();
    if (response.closed() || response.ended()) {
      return;
    }
    if (!begun) {
      begun = true;
      response
          .setChunked(true)
          .putHeader(HttpHeaders.CONTENT_TYPE, "text/event-stream; charset=utf-8")
          .putHeader(HttpHeaders.CACHE_CONTROL, "no-cache")
          // Asks proxies not to gather the stream.
          .putHeader("x-accel-buffering", "no");
    }
    response.write(bytes);
  }

  private void stopKeepAlive() {
    if (keepAlive != null) {
      call.vertx().cancelTimer(keepAlive);
      keepAlive = null;
    }
  }
}
