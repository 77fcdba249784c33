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

/// Streams as clients read them.
final class StreamedText {
  private StreamedText() {}

  /// The text of a stream that nothing but text and its end may be seen of.
  static String read(HttpClient http, HttpRequest request, Runnable afterFiveFrames)
      throws IOException, InterruptedException {
    HttpResponse<InputStream> stream =
        http.send(request, HttpResponse.BodyHandlers.ofInputStream());
    StringBuilder text = new StringBuilder();
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
          text.append(frame.at("/choices/0/delta/content").asText(""));
        }
      }
    }
    assertThat(last).isEqualTo("[DONE]");
    return text.toString();
  }
}
