package dev.weft.platform.e2e.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

/// Callers of one function, over connections that are kept, as users' libraries keep them.
final class Callers {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String base;
  private final String key;
  private final String function;

  /// @param base such as `http://198.19.3.7`
  Callers(String base, String key, String function) {
    this.base = base;
    this.key = key;
    this.function = function;
  }

  /// What came of a call.
  ///
  /// @param status 0 when its connection broke
  record Answer(int status, String text, Duration took) {
    /// Whether it is an answer, from its beginning to its end.
    boolean whole() {
      boolean ended = text.startsWith("{") || text.stripTrailing().endsWith("data: [DONE]");
      return status == 200 && ended && text.contains("\"choices\"");
    }

    JsonNode json() {
      try {
        return JSON.readTree(text);
      } catch (IOException e) {
        throw new UncheckedIOException(text, e);
      }
    }

    String told() {
      return "%d after %d ms: %s".formatted(status, took.toMillis(), text);
    }
  }

  Answer chat(String requestId, int tokens) {
    return chat(requestId, tokens, false);
  }

  /// @param streamed whether the answer comes token by token
  Answer chat(String requestId, int tokens, boolean streamed) {
    String body =
        """
        {"model": "%s", "max_tokens": %d, "temperature": 0, "stream": %s,
         "messages": [{"role": "user", "content": "Say hello."}]}
        """
            .formatted(function, tokens, streamed);
    long begin = System.nanoTime();
    try {
      var response =
          http.send(
              HttpRequest.newBuilder(URI.create(base + "/v1/chat/completions"))
                  .header("authorization", "Bearer " + key)
                  .header("content-type", "application/json")
                  .header("x-request-id", requestId)
                  .timeout(Duration.ofMinutes(2))
                  .POST(BodyPublishers.ofString(body))
                  .build(),
              BodyHandlers.ofString());
      return new Answer(response.statusCode(), response.body(), since(begin));
    } catch (IOException e) {
      return new Answer(0, e.toString(), since(begin));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static Duration since(long begin) {
    return Duration.ofNanos(System.nanoTime() - begin);
  }

  /// What the management API says.
  JsonNode get(String path) {
    return manage("GET", path, "");
  }

  /// What the management API answers, which must do what it is asked for.
  JsonNode manage(String method, String path, String body) {
    try {
      var response =
          http.send(
              HttpRequest.newBuilder(URI.create(base + path))
                  .header("authorization", "Bearer " + key)
                  .timeout(Duration.ofSeconds(10))
                  .method(method, BodyPublishers.ofString(body))
                  .build(),
              BodyHandlers.ofString());
      if (response.statusCode() >= 300) {
        throw new AssertionError(
            "%s %s: %d %s".formatted(method, path, response.statusCode(), response.body()));
      }
      return JSON.readTree(response.body());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
