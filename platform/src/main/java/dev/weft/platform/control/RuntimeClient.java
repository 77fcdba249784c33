package dev.weft.platform.control;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Function;
import dev.weft.functions.Json;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.ControlApi.Inspection;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.ControlApi.PrewarmRequest;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.ControlApi.UnloadRequest;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.parsetools.RecordParser;
import jakarta.inject.Singleton;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Speaks the control API to a runtime, and a gateway's part of it to the controller. **thread**:
/// the calls block; only virtual threads use them.
@Singleton
public final class RuntimeClient {
  private static final Duration QUICK = Duration.ofSeconds(5);
  private static final int MAX_FRAME_BYTES = 64 << 20;

  /// Longer than the pause between two comments of the status stream.
  private static final int STREAM_IDLE_SECONDS = 15;

  private static final String DATA = "data:";

  private final HttpClient http;
  private final ObjectMapper json = Json.mapper();

  public RuntimeClient(Vertx vertx) {
    this.http =
        vertx.createHttpClient(
            new HttpClientOptions()
                .setConnectTimeout(2_000)
                .setMaxPoolSize(64)
                .setIdleTimeout(120)
                .setTcpNoDelay(true));
  }

  /// What a control call came to.
  public sealed interface Outcome<T> {
    /// The runtime did it, or has begun to.
    record Done<T>(T answer) implements Outcome<T> {}

    /// The runtime refused, and says why.
    record Refused<T>(Rejection rejection) implements Outcome<T> {}
  }

  public Outcome<InstanceStatus> load(RuntimeAddress runtime, LoadRequest request) {
    return post(runtime, ControlApi.LOAD, request, InstanceStatus.class, QUICK);
  }

  public Outcome<InstanceStatus> unload(RuntimeAddress runtime, UnloadRequest request) {
    return post(runtime, ControlApi.UNLOAD, request, InstanceStatus.class, Duration.ofSeconds(30));
  }

  public Outcome<InstanceStatus> prewarm(RuntimeAddress runtime, PrewarmRequest request) {
    return post(runtime, ControlApi.PREWARM, request, InstanceStatus.class, QUICK);
  }

  public Outcome<Inspection> inspect(RuntimeAddress runtime, Function function, Duration timeout) {
    return post(runtime, ControlApi.INSPECT, function, Inspection.class, timeout);
  }

  /// Asks the runtime to finish what runs and to exit.
  public void drain(RuntimeAddress runtime) {
    expect(call(runtime, HttpMethod.POST, ControlApi.DRAIN, Buffer.buffer(), QUICK), 202);
  }

  public DeviceStatus status(RuntimeAddress runtime, Duration timeout) {
    Answer answer = call(runtime, HttpMethod.GET, ControlApi.STATUS, Buffer.buffer(), timeout);
    expect(answer, 200);
    return read(answer.body().getBytes(), DeviceStatus.class);
  }

  /// Whether the runtime says that it is healthy.
  public boolean healthy(RuntimeAddress runtime, Duration timeout) {
    return health(runtime, timeout).filter(status -> status == 200).isPresent();
  }

  /// Whether the runtime says anything at all, were it that it is not well.
  public boolean answers(RuntimeAddress runtime, Duration timeout) {
    return health(runtime, timeout).isPresent();
  }

  private Optional<Integer> health(RuntimeAddress runtime, Duration timeout) {
    try {
      Answer answer = call(runtime, HttpMethod.GET, "/health", Buffer.buffer(), timeout);
      return Optional.of(answer.status());
    } catch (RuntimeUnavailableException e) {
      return Optional.empty();
    }
  }

  /// Follows the status stream: `listener` gets each status, on an event loop. The future ends when
  /// the stream does.
  Future<Void> follow(RuntimeAddress runtime, Consumer<DeviceStatus> listener) {
    return follow(runtime, ControlApi.STATUS_STREAM, DeviceStatus.class, listener);
  }

  /// Follows any stream of JSON frames in the same way.
  public <T> Future<Void> follow(
      RuntimeAddress peer, String path, Class<T> type, Consumer<T> listener) {
    RequestOptions options =
        options(peer, HttpMethod.GET, path)
            .putHeader("Accept", "text/event-stream")
            .setIdleTimeout(STREAM_IDLE_SECONDS * 1_000L);
    return http.request(options)
        .compose(HttpClientRequest::send)
        .compose(response -> frames(response, type, listener));
  }

  /// Gives a peer something; throws [RuntimeUnavailableException] unless it says that it has it.
  public void send(RuntimeAddress peer, String path, Object body) {
    expect(call(peer, HttpMethod.POST, path, write(body), QUICK), 204);
  }

  private <T> Future<Void> frames(
      HttpClientResponse response, Class<T> type, Consumer<T> listener) {
    if (response.statusCode() != 200) {
      return Future.failedFuture("the stream answers " + response.statusCode());
    }
    Promise<Void> ended = Promise.promise();
    RecordParser lines = RecordParser.newDelimited("\n", response).maxRecordSize(MAX_FRAME_BYTES);
    lines.handler(line -> {
      String text = line.toString(StandardCharsets.UTF_8);
      if (text.startsWith(DATA)) {
        listener.accept(read(text.substring(DATA.length()).getBytes(StandardCharsets.UTF_8), type));
      }
    });
    lines.exceptionHandler(failure -> {
      response.request().reset();
      ended.tryFail(failure);
    });
    lines.endHandler(_ -> ended.tryComplete());
    return ended.future();
  }

  private <T> Outcome<T> post(
      RuntimeAddress runtime, String path, Object body, Class<T> type, Duration timeout) {
    Answer answer = call(runtime, HttpMethod.POST, path, write(body), timeout);
    return switch (answer.status()) {
      case 200, 202 -> new Outcome.Done<>(read(answer.body().getBytes(), type));
      case 409 -> new Outcome.Refused<>(read(answer.body().getBytes(), Rejection.class));
      default -> throw unexpected(answer);
    };
  }

  private record Answer(String path, int status, Buffer body) {}

  private Answer call(
      RuntimeAddress runtime, HttpMethod method, String path, Buffer body, Duration timeout) {
    Future<Answer> answer =
        http.request(options(runtime, method, path).setTimeout(timeout.toMillis()))
            .compose(request ->
                request
                    .putHeader("Content-Type", "application/json")
                    .send(body)
                    .compose(response ->
                        response.body().map(all -> new Answer(path, response.statusCode(), all))));
    return await(answer, path, timeout);
  }

  private static RequestOptions options(RuntimeAddress runtime, HttpMethod method, String path) {
    return new RequestOptions()
        .setHost(runtime.host())
        .setPort(runtime.port())
        .setMethod(method)
        .setURI(path)
        .putHeader("Authorization", runtime.authorization());
  }

  /// Blocks this virtual thread until the future ends.
  private static <T> T await(Future<T> future, String path, Duration timeout) {
    try {
      return future
          .toCompletionStage()
          .toCompletableFuture()
          .get(timeout.toMillis() + 1_000, TimeUnit.MILLISECONDS);
    } catch (ExecutionException | CompletionException e) {
      throw new RuntimeUnavailableException(
          "the runtime does not answer %s: %s".formatted(path, reason(e.getCause())), e);
    } catch (TimeoutException e) {
      throw new RuntimeUnavailableException(
          "the runtime does not answer %s within %s".formatted(path, timeout), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RuntimeUnavailableException("interrupted while calling " + path, e);
    }
  }

  private static String reason(@Nullable Throwable cause) {
    return cause == null ? "unknown" : String.valueOf(cause.getMessage());
  }

  private static void expect(Answer answer, int status) {
    if (answer.status() != status) {
      throw unexpected(answer);
    }
  }

  private static RuntimeUnavailableException unexpected(Answer answer) {
    String body = answer.body().toString(StandardCharsets.UTF_8);
    return new RuntimeUnavailableException(
        "the runtime answers %s with %d: %s"
            .formatted(
                answer.path(), answer.status(), body.substring(0, Math.min(500, body.length()))));
  }

  private Buffer write(Object value) {
    try {
      return Buffer.buffer(json.writeValueAsBytes(value));
    } catch (JsonProcessingException e) {
      throw new AssertionError("the contract's records can be written", e);
    }
  }

  private <T> T read(byte[] body, Class<T> type) {
    try {
      return json.readValue(body, type);
    } catch (java.io.IOException e) {
      throw new RuntimeUnavailableException(
          "the runtime's %s cannot be read: %s".formatted(type.getSimpleName(), e.getMessage()), e);
    }
  }
}
