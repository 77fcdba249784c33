package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/// Streams as clients read them.
final class StreamedText {
  private StreamedText() {}

  /// The text of a stream that nothing but text and its end may be seen of.
  static String read(HttpClient http, HttpRequest request, Runnable afterFiveFrames)
      throws IOException, InterruptedException {
    return frames(http, request, afterFiveFrames).stream()
        .map(frame -> frame.at("/choices/0/delta/content").asText(""))
        .collect(Collectors.joining());
  }

  /// The tokens of such a stream, as they were asked for with their log-probabilities.
  static List<JsonNode> tokens(HttpClient http, HttpRequest request, Runnable afterFiveFrames)
      throws IOException, InterruptedException {
    return frames(http, request, afterFiveFrames).stream()
        .flatMap(frame ->
            StreamSupport.stream(frame.at("/choices/0/logprobs/content").spliterator(), false))
        .toList();
  }

  private static List<JsonNode> frames(
      HttpClient http, HttpRequest request, Runnable afterFiveFrames)
      throws IOException, InterruptedException {
    HttpResponse<InputStream> stream =
        http.send(request, HttpResponse.BodyHandlers.ofInputStream());
    List<JsonNode> read = new ArrayList<>();
    String last = "";
    String id = "";
    try (var reader =
        new BufferedReader(new InputStreamReader(stream.body(), StandardCharsets.UTF_8))) {
      int frames = 0;
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        if (line.startsWith("data: ")) {
          last = line.substring("data: ".length());
          if (++frames == 5) {
            afterFiveFrames.run();
          }
        }
        if (line.startsWith("data: {")) {
          JsonNode frame = Installation.parse(last);
          assertThat(frame.has("error")).as(last).isFalse();
          assertThat(id).isIn("", frame.path("id").asText());
          id = frame.path("id").asText();
          read.add(frame);
        }
      }
    }
    assertThat(last).isEqualTo("[DONE]");
    return read;
  }
}
