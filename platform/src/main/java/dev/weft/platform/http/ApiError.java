package dev.weft.platform.http;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// An error as OpenAI's API writes it, `{"error":{message,type,param,code}}`, all four always
/// there.
///
/// @param retryAfter when it may be worth trying again; `null` says nothing
/// @param loading how far the load is that the caller would have had to wait for; written beside
///   `error`
public record ApiError(
    int status,
    String type,
    String code,
    @Nullable String param,
    String message,
    @Nullable Duration retryAfter,
    @Nullable Loading loading) {
  private static final ObjectMapper JSON = Json.mapper();

  /// How far a load is. What is not known is left out.
  ///
  /// @param state what is being done (`fetching`, `compiling`), or `cold` when nothing is yet
  /// @param progress from 0 to 1
  public record Loading(
      String state,
      @Nullable Double progress,
      @Nullable Long bytes,
      @JsonProperty("bytes_total") @Nullable Long bytesTotal) {
    public static Loading of(@Nullable LoadProgress progress) {
      if (progress == null) {
        return new Loading("cold", null, null, null);
      }
      String state = progress.phase().name().toLowerCase(Locale.ROOT);
      long total = progress.bytesTotal();
      return total == 0
          ? new Loading(state, null, null, null)
          : new Loading(
              state,
              Math.min(1.0, (double) progress.bytesDone() / total),
              progress.bytesDone(),
              total);
    }
  }

  @JsonInclude(JsonInclude.Include.ALWAYS)
  private record Body(String message, String type, @Nullable String param, String code) {}

  private record Envelope(Body error, @Nullable Loading loading) {}

  public static ApiError invalid(@Nullable String param, String code, String message) {
    return new ApiError(400, "invalid_request_error", code, param, message, null, null);
  }

  public static ApiError unauthenticated(String message) {
    return new ApiError(401, "authentication_error", "invalid_api_key", null, message, null, null);
  }

  public static ApiError forbidden(String message) {
    return new ApiError(
        403, "permission_error", "insufficient_permissions", null, message, null, null);
  }

  public static ApiError notFound(String code, String message) {
    return new ApiError(404, "not_found_error", code, null, message, null, null);
  }

  public static ApiError overloaded(String code, String message, Duration retryAfter) {
    return new ApiError(429, "rate_limit_error", code, null, message, retryAfter, null);
  }

  public static ApiError unavailable(String code, String message, Duration retryAfter) {
    return new ApiError(503, "server_error", code, null, message, retryAfter, null);
  }

  /// What was asked needs the database.
  public static ApiError databaseAway(String message) {
    return unavailable("database_unavailable", message, Duration.ofSeconds(2));
  }

  /// Something broke on our side, or in the runtime.
  public static ApiError broken(int status, String code, String message) {
    return new ApiError(status, "server_error", code, null, message, null, null);
  }

  public ApiError withLoading(Loading fresh) {
    return new ApiError(status, type, code, param, message, retryAfter, fresh);
  }

  public byte[] toJson() {
    try {
      return JSON.writeValueAsBytes(new Envelope(new Body(message, type, param, code), loading));
    } catch (JsonProcessingException e) {
      throw new AssertionError("an error can be written", e);
    }
  }

  /// The error as a frame of an event stream.
  public Buffer toEvent() {
    return Buffer.buffer("data: ").appendBytes(toJson()).appendString("\n\n");
  }

  /// Sends the error as the whole answer; does nothing when an answer has begun.
  public void send(HttpServerResponse response) {
    if (response.ended() || response.headWritten()) {
      return;
    }
    Duration pause = retryAfter;
    if (pause != null) {
      response.putHeader("Retry-After", Long.toString(Math.max(1, pause.toSeconds())));
    }
    if (status == 401) {
      response.putHeader("WWW-Authenticate", "Bearer");
    }
    response
        .setStatusCode(status)
        .putHeader("Content-Type", "application/json")
        .end(Buffer.buffer(toJson()));
  }
}
