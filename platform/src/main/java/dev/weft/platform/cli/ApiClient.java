package dev.weft.platform.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// Calls Weft over HTTP. Every failure becomes a [CliException] with the server's own words.
final class ApiClient {
  static final ObjectMapper JSON = Json.mapper();
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(CONNECT_TIMEOUT).build();
  private final String baseUrl;
  private final String key;

  ApiClient(String baseUrl, String key) {
    this.baseUrl = baseUrl;
    this.key = key;
  }

  String baseUrl() {
    return baseUrl;
  }

  String key() {
    return key;
  }

  <T> T get(String path, Class<T> answer) {
    return read(send(request(path).GET()), answer);
  }

  <T> T post(String path, Object body, Class<T> answer) {
    return read(send(withJson(request(path), body)), answer);
  }

  void post(String path, Object body) {
    send(withJson(request(path), body));
  }

  /// Deploys: `manifest` is one function as JSON.
  <T> T post(String path, String manifest, Class<T> answer) {
    return read(
        send(
            request(path)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(manifest))),
        answer);
  }

  void delete(String path) {
    send(request(path).DELETE());
  }

  /// True when the path answers 200 within a second.
  boolean answers(String path) {
    try {
      var request = request(path).timeout(Duration.ofSeconds(1)).GET().build();
      return http.send(request, BodyHandlers.discarding()).statusCode() == 200;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /// Hands each line of the answer over until it ends or `onLine` returns false. A body makes it a
  /// POST.
  void lines(String path, @Nullable Object body, Predicate<String> onLine) {
    HttpRequest.Builder request = request(path);
    if (body != null) {
      withJson(request, body);
    }
    try {
      HttpResponse<InputStream> response = http.send(request.build(), BodyHandlers.ofInputStream());
      try (InputStream stream = response.body()) {
        if (response.statusCode() / 100 != 2) {
          throw refused(
              response.statusCode(), new String(stream.readAllBytes(), StandardCharsets.UTF_8));
        }
        var reader = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8));
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
          if (!onLine.test(line)) {
            return;
          }
        }
      }
    } catch (IOException e) {
      throw unreachable(e);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(baseUrl + path))
        .header("Authorization", "Bearer " + key);
  }

  private static HttpRequest.Builder withJson(HttpRequest.Builder request, Object body) {
    try {
      return request
          .header("Content-Type", "application/json")
          .POST(BodyPublishers.ofByteArray(JSON.writeValueAsBytes(body)));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not JSON: " + body, e);
    }
  }

  private <T> T read(String body, Class<T> answer) {
    try {
      return JSON.readValue(body, answer);
    } catch (JsonProcessingException e) {
      throw new CliException(
          "the answer of %s is not what this version reads: %s"
              .formatted(baseUrl, e.getOriginalMessage()),
          "Is it the same version?  weft version");
    }
  }

  private String send(HttpRequest.Builder request) {
    try {
      HttpResponse<String> response = http.send(request.build(), BodyHandlers.ofString());
      if (response.statusCode() / 100 != 2) {
        throw refused(response.statusCode(), response.body());
      }
      return response.body();
    } catch (IOException e) {
      throw unreachable(e);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private static CliException refused(int status, String body) {
    String message = body.strip();
    try {
      JsonNode error = JSON.readTree(body).path("error");
      message = error.path("message").asText(message);
    } catch (JsonProcessingException e) {
      // Not one of our error objects: the text itself says the most.
    }
    String next =
        switch (status) {
          case 401, 403 -> "Check the key: WEFT_API_KEY, or keys/default under the home.";
          case 404 -> "See what there is:  weft list";
          case 429, 503 ->
              "Try again in a moment; see the state with  weft list  or  weft logs NAME";
          default -> status >= 500 ? "Look at the logs:  weft logs" : "Correct it and try again.";
        };
    return new CliException(message.isEmpty() ? "the server answered " + status : message, next);
  }

  private CliException unreachable(IOException e) {
    String why =
        e instanceof ConnectException ? "nothing listens there" : String.valueOf(e.getMessage());
    return new CliException(
        "cannot reach Weft at " + baseUrl + ": " + why,
        "Is it up?  weft up   or look:  weft doctor");
  }

  private static CliException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    var interrupted = new CliException("interrupted", "Run the command again.");
    interrupted.initCause(e);
    return interrupted;
  }
}
