package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.instance.ControlApi;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A stream that is cut after any of its frames goes on, from what the comments of these frames
/// say, with the very frames that are missing.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ContinuedStreamTest {
  private static final String[] HEADERS = {
    "weft-response-id", "x-1", "weft-created", "1700000000", "weft-seed", "7", "weft-tokens", "1"
  };

  private TestServer server;

  @BeforeAll
  void open(@TempDir Path directory) {
    server = new TestServer(directory, "Hé!");
  }

  @AfterAll
  void close() {
    server.close();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        // Text that is held back: until the end token, until more text, and for good.
        ",\"stop\":[\"!x\"]",
        ",\"ignore_eos\":true,\"max_tokens\":14,\"stop\":[\"!Hé!x\"]",
        ",\"ignore_eos\":true,\"min_tokens\":6,\"stop\":[\"é!Hé\"]",
        // Half a character at the end.
        ",\"max_tokens\":2",
        // What depends on everything said before.
        ",\"ignore_eos\":true,\"max_tokens\":30,\"frequency_penalty\":2,\"repetition_penalty\":1.5",
        ",\"ignore_eos\":true,\"max_tokens\":20,\"speculation\":{\"prompt_lookup_tokens\":4}",
        ",\"n\":3,\"logprobs\":true,\"top_logprobs\":2,\"stream_options\":{\"include_usage\":true}"
      })
  void chatGoesOnAfterAnyFrame(String parameters) {
    assertGoesOnAfterAnyFrame(
        "/v1/chat/completions",
        "{\"model\":\"chat\",\"stream\":true,\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]%s}"
            .formatted(parameters));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"prompt\":\"x\\n\"",
        "\"prompt\":\"x\\n\",\"echo\":true",
        "\"prompt\":[\"x\\n\",\"yz\\n\"],\"n\":2,\"echo\":true,\"logprobs\":2,\"max_tokens\":4",
        "\"prompt\":\"x\\n\",\"echo\":true,\"logprobs\":1,\"max_tokens\":0"
      })
  void completionGoesOnAfterAnyFrame(String parameters) {
    assertGoesOnAfterAnyFrame(
        "/v1/completions",
        "{\"model\":\"chat\",\"stream\":true,\"temperature\":0,%s}".formatted(parameters));
  }

  @Test
  void refusesWhatIsNoContinuation() {
    String request =
        "{\"model\":\"chat\",\"stream\":%s,\"max_tokens\":3,\"temperature\":0,\"prompt\":\"x\\n\"}";
    String stream = request.formatted(true);
    String path = "/v1/completions";
    assertRefused(body(path, "[]", request.formatted(false)), "request");
    assertRefused(body("/v1/embeddings", "[]", stream), "path");
    assertRefused(body(path, "[{\"index\":1,\"tokens\":[]}]", stream), "choices");
    assertRefused(body(path, "[{\"index\":0,\"tokens\":[100000]}]", stream), "choices");
    assertRefused(body(path, "[{\"index\":0,\"tokens\":[-1]}]", stream), "choices");
    assertRefused(body(path, "[{\"index\":0,\"tokens\":[75,75,75,75]}]", stream), "choices");
    // Token 2 is an end token.
    assertRefused(body(path, "[{\"index\":0,\"tokens\":[2,75]}]", stream), "choices");
    assertRefused(body(path, "[{\"index\":0,\"tokens\":\"75\"}]", stream), "choices[0].tokens");
    assertRefused(body(path, "[{\"tokens\":[75]}]", stream), "choices[0]");
    assertRefused(
        body(path, "[{\"index\":0,\"tokens\":[]},{\"index\":0,\"tokens\":[]}]", stream),
        "choices[1]");
    assertRefused(body(path, "{}", stream), "choices");
    assertRefused("{\"path\":\"%s\",\"choices\":[],\"request\":1}".formatted(path), "request");
  }

  private void assertRefused(String body, String parameter) {
    HttpResponse<String> response = server.post(ControlApi.CONTINUE, body, HEADERS);
    assertThat(response.statusCode()).as(body).isEqualTo(400);
    assertThat(TestServer.json(response).at("/error/param").textValue())
        .as(response.body())
        .isEqualTo(parameter);
  }

  private void assertGoesOnAfterAnyFrame(String path, String request) {
    List<String> frames = frames(server.post(path, request, HEADERS));
    assertThat(frames.getLast()).isEqualTo("data: [DONE]");
    Map<Integer, ObjectNode> read = new TreeMap<>();
    // The last two are usage and the mark of the end.
    for (int i = 0; i < frames.size() - 1; i++) {
      HttpResponse<String> rest =
          server.post(ControlApi.CONTINUE, body(path, array(read).toString(), request), HEADERS);
      assertThat(byChoice(frames(rest)))
          .as("after %d frames, which say %s", i, read)
          .isEqualTo(byChoice(frames.subList(i, frames.size())));
      note(frames.get(i), read);
    }
  }

  /// Frames of different choices come in any order; `""` is what is no choice's.
  private static Map<String, List<String>> byChoice(List<String> frames) {
    return frames.stream()
        .collect(
            Collectors.groupingBy(
                frame -> frame.startsWith(": t") ? frame.substring(2).split("[ \n]", 2)[0] : ""));
  }

  private static String body(String path, String choices, String request) {
    return "{\"path\":\"%s\",\"choices\":%s,\"request\":%s}".formatted(path, choices, request);
  }

  private static ArrayNode array(Map<Integer, ObjectNode> read) {
    return TestServer.JSON.createArrayNode().addAll(read.values());
  }

  /// Reads a frame's comment as a gateway does.
  private static void note(String frame, Map<Integer, ObjectNode> read) {
    if (!frame.startsWith(": t")) {
      return;
    }
    String[] words = frame.lines().findFirst().orElseThrow().substring(2).split(" ", -1);
    int index = words[0].equals("t") ? 0 : Integer.parseInt(words[0].substring(2));
    ObjectNode choice =
        read.computeIfAbsent(
            index,
            _ -> {
              ObjectNode fresh = TestServer.JSON.createObjectNode().put("index", index);
              fresh.putArray("tokens");
              return fresh;
            });
    for (int i = 1; i < words.length; i++) {
      if (words[i].equals("end")) {
        choice.put("used", Integer.parseInt(words[++i]));
      } else {
        choice.withArray("tokens").add(Integer.parseInt(words[i]));
      }
    }
  }

  private static List<String> frames(HttpResponse<String> response) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    List<String> frames = new ArrayList<>();
    for (String frame : response.body().split("\n\n", -1)) {
      if (!frame.isEmpty() && !frame.equals(": keep-alive")) {
        frames.add(frame.replaceAll("\"cached_tokens\":[0-9]+", "\"cached_tokens\":0"));
      }
    }
    return frames;
  }
}
