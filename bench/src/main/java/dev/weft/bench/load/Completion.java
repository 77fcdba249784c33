package dev.weft.bench.load;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongPredicate;

/// One streamed completion over a connection of its own: llama-server closes a connection after a
/// stream without saying so. Pieces of an answer are timed as they come: a server that holds text
/// back until a character or word is certain shows as longer gaps.
public final class Completion {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration TIMEOUT = Duration.ofMinutes(5);

  private Completion() {}

  /// What a request took, by [System#nanoTime].
  ///
  /// @param pieceNanos when each piece of text came
  /// @param tokens as the server counts them; the pieces where it does not
  @SuppressWarnings("ArrayRecordComponent")
  public record Answer(long startNanos, long[] pieceNanos, int tokens) {
    public double firstMillis() {
      return (pieceNanos[0] - startNanos) / 1e6;
    }

    /// Between one piece and the next.
    public List<Double> gapMillis() {
      List<Double> gaps = new ArrayList<>();
      for (int i = 1; i < pieceNanos.length; i++) {
        gaps.add((pieceNanos[i] - pieceNanos[i - 1]) / 1e6);
      }
      return gaps;
    }
  }

  /// Sends a prompt and reads to the end; another number of tokens than asked for is an error.
  public static Answer whole(Target target, int[] prompt, int outputTokens) {
    Answer answer = read(target, prompt, outputTokens, _ -> true);
    if (answer.tokens() != outputTokens) {
      throw new IllegalStateException(
          "%s: %d tokens came instead of %d".formatted(target, answer.tokens(), outputTokens));
    }
    return answer;
  }

  /// Sends a prompt and reads for as long as `more` says so of the time of the latest piece, then
  /// hangs up.
  public static Answer until(Target target, int[] prompt, int outputTokens, LongPredicate more) {
    return read(target, prompt, outputTokens, more);
  }

  private static Answer read(Target target, int[] prompt, int outputTokens, LongPredicate more) {
    HttpRequest request =
        HttpRequest.newBuilder(target.base().resolve("/v1/completions"))
            .timeout(TIMEOUT)
            .header("content-type", "application/json")
            .header("authorization", "Bearer " + target.key())
            .POST(BodyPublishers.ofString(body(target, prompt, outputTokens)))
            .build();
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    long start = System.nanoTime();
    try {
      HttpResponse<java.io.InputStream> response =
          client.send(request, BodyHandlers.ofInputStream());
      try (BufferedReader lines =
          new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
        if (response.statusCode() != 200) {
          throw new IllegalStateException(
              "%s: HTTP %d: %s".formatted(target, response.statusCode(), lines.readLine()));
        }
        return read(lines, start, more);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(target.toString(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } finally {
      client.shutdownNow();
    }
  }

  private static Answer read(BufferedReader lines, long start, LongPredicate more)
      throws IOException {
    List<Long> pieces = new ArrayList<>();
    int counted = 0;
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (!line.startsWith("data:") || line.endsWith("[DONE]")) {
        continue;
      }
      long now = System.nanoTime();
      JsonNode frame = JSON.readTree(line.substring("data:".length()));
      if (frame.has("error")) {
        throw new IllegalStateException("the stream ended with " + frame.get("error"));
      }
      counted = frame.path("usage").path("completion_tokens").asInt(counted);
      if (!frame.path("choices").path(0).path("text").asText("").isEmpty()) {
        pieces.add(now);
      }
      if (!more.test(now)) {
        break;
      }
    }
    if (pieces.isEmpty()) {
      throw new IllegalStateException("the stream had no text");
    }
    return new Answer(
        start,
        pieces.stream().mapToLong(Long::longValue).toArray(),
        counted == 0 ? pieces.size() : counted);
  }

  /// What is asked for: an answer of exactly so many tokens, streamed.
  public static String body(Target target, int[] prompt, int outputTokens) {
    ObjectNode body =
        JSON.createObjectNode()
            .put("model", target.model())
            .put("max_tokens", outputTokens)
            .put("temperature", 0)
            .put("ignore_eos", true)
            .put("stream", true);
    body.putObject("stream_options").put("include_usage", true);
    body.set("prompt", JSON.valueToTree(prompt));
    target.extra().forEach((name, value) -> body.set(name, JSON.valueToTree(value)));
    return body.toString();
  }
}
