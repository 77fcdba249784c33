package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// An error as a client sees it: `{"error":{"message","type","param","code"}}`, all four keys
/// always, and its HTTP status. The message holds no path, address or input text.
///
/// @param retryAfter when trying again may help; `null` when there is no telling or no use
/// @param loading how far the instance is that the request would need; `null` otherwise
/// @param values the figures behind a refusal, in an object beside `error`; empty where there are
///   none
public record ApiError(
    Category category,
    String message,
    @Nullable String param,
    @Nullable String code,
    @Nullable Duration retryAfter,
    @Nullable Loading loading,
    Map<String, Double> values) {
  public ApiError {
    values = Map.copyOf(values);
  }

  /// One without figures.
  public ApiError(
      Category category,
      String message,
      @Nullable String param,
      @Nullable String code,
      @Nullable Duration retryAfter,
      @Nullable Loading loading) {
    this(category, message, param, code, retryAfter, loading, Map.of());
  }

  /// What kind of failure it is; gives the status and OpenAI's `type`.
  public enum Category {
    INVALID(400, "invalid_request_error"),
    UNAUTHENTICATED(401, "authentication_error"),
    NOT_FOUND(404, "not_found_error"),
    METHOD_NOT_ALLOWED(405, "invalid_request_error"),
    CONFLICT(409, "invalid_request_error"),
    TIMED_OUT(408, "invalid_request_error"),
    TOO_LARGE(413, "invalid_request_error"),
    OVERLOADED(429, "rate_limit_error"),
    INTERNAL(500, "server_error"),
    UNAVAILABLE(503, "server_error");

    private final int status;
    private final String type;

    Category(int status, String type) {
      this.status = status;
      this.type = type;
    }

    public int status() {
      return status;
    }

    public String type() {
      return type;
    }
  }

  /// The additive object beside `error` of a function that is not ready.
  ///
  /// @param state what is being done, in lower case (`fetching`, `compiling`), or the tier
  /// @param bytesTotal 0 while unknown; then there is no progress either
  public record Loading(String state, long bytesDone, long bytesTotal) {
    ObjectNode toJson() {
      ObjectNode json = JsonNodeFactory.instance.objectNode();
      json.put("state", state);
      if (bytesTotal > 0) {
        json.put("progress", Math.min(1.0, (double) bytesDone / bytesTotal));
        json.put("bytes", bytesDone);
        json.put("bytes_total", bytesTotal);
      }
      return json;
    }
  }

  public static ApiError of(
      Category category, String message, @Nullable String param, @Nullable String code) {
    return new ApiError(category, message, param, code, null, null);
  }

  /// A 400 that names the parameter.
  public static ApiException invalid(
      @Nullable String param, @Nullable String code, String message) {
    return new ApiException(of(Category.INVALID, message, param, code));
  }

  public int status() {
    return category.status();
  }

  public ObjectNode toJson() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    ObjectNode error = json.putObject("error");
    error.put("message", message);
    error.put("type", category.type());
    error.put("param", param);
    error.put("code", code);
    if (loading != null) {
      json.set("loading", loading.toJson());
    }
    if (!values.isEmpty()) {
      ObjectNode figures = json.putObject("values");
      values.forEach((name, value) -> figures.put(name, value));
    }
    return json;
  }

  public byte[] toBytes() {
    return toJson().toString().getBytes(StandardCharsets.UTF_8);
  }
}
