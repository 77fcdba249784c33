package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Revision;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.instance.TestDevice;
import dev.weft.runtime.model.TinyModels;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A stream that one server is made to give up goes on in another with the keys and values that the
/// first one had, or without them, and what its reader gets is the same.
@Timeout(120)
class MovedStreamTest {
  private static final String PATH = "/v1/completions";
  private static final int TOKENS = 1_500;
  private static final String REQUEST =
      "{\"model\":\"moved\",\"stream\":true,\"temperature\":0,\"min_tokens\":%1$d,\"max_tokens\":%1$d,\"prompt\":\"%2$s\\n\"}"
          .formatted(TOKENS, "a long prompt, ".repeat(20));

  private final Semaphore steps = new Semaphore(0);
  private final HttpClient http = HttpClient.newHttpClient();
  private TestServer from;
  private TestServer to;
  private Revision revision;

  @BeforeEach
  void open(@TempDir Path directory) throws IOException {
    Path model = Files.createDirectories(directory.resolve("moved"));
    revision = TestDevice.revision("moved", TinyModels.llama(model, 1).context(2_048).writeGguf());
    from = new TestServer(directory.resolve("from"), "Hello, you there! ");
    to = new TestServer(directory.resolve("to"), "Hello, you there! ");
    for (TestServer server : List.of(from, to)) {
      assertThat(server.device.load(revision, false).tier()).isEqualTo(Tier.READY);
    }
  }

  @AfterEach
  void close() {
    steps.release(10 * TOKENS);
    from.close();
    to.close();
    http.close();
  }

  /// What was read of the stream until it was given up.
  private record Read(List<String> tokens, String text, String ticket, int kept) {
    String choices(String at) {
      return "[{\"index\":0,\"tokens\":[%s],\"kv\":{\"at\":\"%s\",\"tokens\":%d}}]"
          .formatted(String.join(",", tokens), at, kept);
    }
  }

  /// Has `from` write a step for each line that is read, and unloads its model after some tokens.
  private Read readUntilUnloaded() {
    from.device.backend.onStep(_ -> steps.acquireUninterruptibly());
    // For the prompt, and a few tokens.
    steps.release(40);
    HttpRequest request =
        from.request(PATH)
            .headers("weft-response-id", "x-1", "weft-created", "1", "weft-tokens", "1")
            .POST(HttpRequest.BodyPublishers.ofString(REQUEST))
            .build();
    HttpResponse<java.util.stream.Stream<String>> response =
        http.sendAsync(request, BodyHandlers.ofLines()).join();
    List<String> tokens = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    String kept = "";
    String last = "";
    var unloaded = new CompletableFuture<HttpResponse<String>>();
    boolean asked = false;
    for (Iterator<String> lines = response.body().iterator(); lines.hasNext(); ) {
      String line = lines.next();
      if (line.startsWith(": t")) {
        tokens.addAll(words(line).subList(2, words(line).size()));
      } else if (line.startsWith(": kv ")) {
        kept = line;
      } else if (line.startsWith("data: ")) {
        last = line;
        text.append(text(line));
        steps.release();
      }
      if (tokens.size() >= 40 && !asked) {
        asked = true;
        unloaded = unload();
        while (from.device.status(revision).tier() == Tier.READY) {
          Thread.onSpinWait();
        }
      }
    }
    assertThat(last).contains("model_unloaded");
    assertThat(unloaded.join().statusCode()).isEqualTo(200);
    assertThat(kept).matches(": kv kept 0 [0-9a-f]{32} \\d+");
    from.device.backend.onStep(_ -> {});
    List<String> words = words(kept);
    return new Read(tokens, text.toString(), words.get(4), Integer.parseInt(words.get(5)));
  }

  private static List<String> words(String line) {
    return List.of(line.split(" ", -1));
  }

  private static String text(String line) {
    return line.startsWith("data: {") && line.contains("\"choices\"")
        ? TestServer.parse(line.substring("data: ".length())).at("/choices/0/text").asText("")
        : "";
  }

  private CompletableFuture<HttpResponse<String>> unload() {
    return http.sendAsync(
        from.request(ControlApi.UNLOAD)
            .POST(
                HttpRequest.BodyPublishers.ofString(
                    "{\"revision\":\"%s\",\"force\":true}".formatted(revision.id())))
            .build(),
        BodyHandlers.ofString());
  }

  private String at(String ticket) {
    return from.uri(ControlApi.KV + ticket).toString();
  }

  /// The whole text, of what was read before and what comes now; and what was said of keys and
  /// values is in `said`.
  private String goOn(Read read, String at, List<String> said) {
    String body =
        "{\"path\":\"%s\",\"choices\":%s,\"request\":%s}"
            .formatted(PATH, read.choices(at), REQUEST);
    String[] headers = {"weft-response-id", "x-1", "weft-created", "1", "weft-tokens", "1"};
    HttpResponse<String> rest = to.post(ControlApi.CONTINUE, body, headers);
    assertThat(rest.statusCode()).as(rest.body()).isEqualTo(200);
    rest.body().lines().filter(line -> line.startsWith(": kv ")).forEach(said::add);
    assertThat(rest.body()).endsWith("data: [DONE]\n\n").doesNotContain("\"error\"");
    return read.text()
        + rest.body().lines().map(MovedStreamTest::text).collect(Collectors.joining());
  }

  private String whole() {
    String whole = "Hello, you there! ".repeat(TOKENS);
    return whole.substring(0, TOKENS);
  }

  @Test
  void keysAndValuesAreFetchedFromWhoHasThem() {
    Read read = readUntilUnloaded();
    List<String> said = new ArrayList<>();

    assertThat(goOn(read, at(read.ticket()), said)).isEqualTo(whole());

    assertThat(said).hasSize(1);
    assertThat(said.getFirst())
        .matches(": kv keys and values of \\d+ tokens came from 127.0.0.1:\\d+ in .* ms: .*");
    int came = Integer.parseInt(words(said.getFirst()).get(5 + 1));
    assertThat(came).isBetween(read.kept() - 16, read.kept());
    assertThat(to.get("/metrics").body())
        .contains(
            "weft_runtime_kv_arrivals_total{function=\"moved\",outcome=\"moved\",reason=\"\"} 1.0",
            "weft_runtime_kv_arrived_tokens_total{function=\"moved\"} " + came + ".0");
    assertThat(from.get("/metrics").body())
        .contains("weft_runtime_kv_sent_bytes_total{function=\"moved\"}");
    assertThat(from.get(ControlApi.KV + read.ticket()).statusCode())
        .as("once they are fetched they are gone")
        .isEqualTo(404);
    from.device.load(revision, false);
    assertThat(from.device.status(revision).tier()).isEqualTo(Tier.READY);
  }

  @Test
  void whatIsNotThereIsComputed() throws IOException {
    Read read = readUntilUnloaded();
    List<String> said = new ArrayList<>();
    assertThat(goOn(read, at("00".repeat(16)), said)).isEqualTo(whole());
    int closed;
    try (var socket = new ServerSocket(0)) {
      closed = socket.getLocalPort();
    }
    to.device.instances.unload(revision.id(), true);
    to.device.load(revision, false);
    String nobody = "http://127.0.0.1:%d%s00".formatted(closed, ControlApi.KV);
    assertThat(goOn(read, nobody, said)).isEqualTo(whole());

    assertThat(said)
        .satisfiesExactly(
            first ->
                assertThat(first)
                    .contains("of 0 tokens", "the rest is computed", "does not have them any more"),
            second ->
                assertThat(second)
                    .contains("of 0 tokens", "the rest is computed", "the other runtime is gone"));
    assertThat(to.get("/metrics").body())
        .contains("outcome=\"computed\",reason=\"gone\"", "outcome=\"computed\",reason=\"link\"");
  }

  @Test
  void theTicketIsTheKeyAndNothingElseIs() {
    Read read = readUntilUnloaded();
    var without = HttpRequest.newBuilder(from.uri(ControlApi.KV + "00".repeat(16))).build();
    assertThat(from.send(without).statusCode()).isEqualTo(401);
    var elsewhere = HttpRequest.newBuilder(from.uri("/v1/models/" + read.ticket())).build();
    assertThat(from.send(elsewhere).statusCode()).isEqualTo(401);

    var declined = HttpRequest.newBuilder(from.uri(ControlApi.KV + read.ticket())).DELETE().build();
    assertThat(from.send(declined).statusCode()).isEqualTo(204);
    assertThat(from.send(declined).statusCode()).as("nobody knows it now").isEqualTo(401);
    // Its memory is free, and whoever loads it again does not wait.
    assertThat(from.device.load(revision, false).tier()).isEqualTo(Tier.READY);
  }

  @Test
  void whatIsNoAddressOfKeysAndValuesIsRefused() {
    for (String at :
        List.of("file:///control/kv/1", "http://127.0.0.1/v1/models", "no address", "http:x")) {
      Read read = new Read(List.of("75"), "", "", 3);
      String body =
          "{\"path\":\"%s\",\"choices\":%s,\"request\":%s}"
              .formatted(PATH, read.choices(at), REQUEST);
      HttpResponse<String> refused = to.post(ControlApi.CONTINUE, body);
      assertThat(refused.statusCode()).as(at).isEqualTo(400);
      assertThat(TestServer.json(refused).at("/error/param").asText())
          .isEqualTo("choices[0].kv.at");
    }
  }
}
