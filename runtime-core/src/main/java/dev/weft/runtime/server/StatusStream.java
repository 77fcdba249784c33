package dev.weft.runtime.server;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.runtime.instance.InstanceManager;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerResponse;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// `GET` [ControlApi#STATUS_STREAM]: each status as an event, a comment when there was none for a
/// while. A reader that is slow misses statuses, never the latest one: at most one waits for it.
final class StatusStream {
  private final Call call;
  private final ObjectMapper json;
  private final Duration interval;
  private final AtomicReference<@Nullable DeviceStatus> waiting = new AtomicReference<>();

  StatusStream(Call call, ObjectMapper json, Duration interval) {
    this.call = call;
    this.json = json;
    this.interval = interval;
  }

  void open(InstanceManager instances) {
    call.onContext(() -> {
      call.response()
          .setChunked(true)
          .putHeader(HttpHeaders.CONTENT_TYPE, "text/event-stream; charset=utf-8")
          .putHeader(HttpHeaders.CACHE_CONTROL, "no-cache");
      call.response().drainHandler(_ -> send());
      long timer = call.vertx().setPeriodic(interval.toMillis(), _ -> write(": alive\n\n"));
      InstanceManager.Subscription subscription =
          instances.subscribe(status -> {
            waiting.set(status);
            call.onContext(this::send);
          });
      call.onDeparture(() -> {
        call.vertx().cancelTimer(timer);
        subscription.close();
      });
    });
  }

  private void send() {
    if (call.response().writeQueueFull()) {
      return;
    }
    DeviceStatus status = waiting.getAndSet(null);
    if (status != null) {
      try {
        write("data: " + json.writeValueAsString(status) + "\n\n");
      } catch (JsonProcessingException e) {
        throw new UncheckedIOException("writing a record as JSON", e);
      }
    }
  }

  private void write(String text) {
    HttpServerResponse response = call.response();
    if (!response.closed() && !response.ended() && !response.writeQueueFull()) {
      response.write(text);
    }
  }
}
