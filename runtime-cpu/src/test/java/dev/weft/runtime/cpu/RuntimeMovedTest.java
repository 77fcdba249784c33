package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.model.TinyModels;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Two whole runtimes, of which one gives a stream up and the other goes on with it: with the keys
/// and values that the first has, or without, when it is killed (`kill -9`) while it sends them.
@Timeout(300)
class RuntimeMovedTest {
  private static final ObjectMapper JSON = Json.mapper();
  private static final int TOKENS = 900;
  private static final String REQUEST =
      "{\"model\":\"chat\",\"stream\":true,\"temperature\":1,\"seed\":11,\"ignore_eos\":true,\"max_tokens\":%d,\"prompt\":\"%s\"}"
          .formatted(TOKENS, "once upon a time there was a word ".repeat(15));

  @TempDir private Path directory;

  private final HttpClient http = HttpClient.newHttpClient();
  private final List<Process> processes = new ArrayList<>();

  @AfterEach
  void endAll() throws InterruptedException {
    for (Process process : processes) {
      process.destroyForcibly().waitFor();
    }
    http.close();
  }

  /// Takes long to compute, and has few keys and values: 1.5 KiB a token, or half of that.
  private Path manifest(String kvCache) throws IOException {
    Path model =
        TinyModels.llama(directory, 5).hidden(512).layers(6).heads(8, 1).context(2_048).writeGguf();
    Path manifest = directory.resolve("chat.yaml");
    Files.writeString(
        manifest,
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata:
          name: chat
        spec:
          kvCache: %s
          model:
            sources:
              - file:%s
        """
            .formatted(kvCache, model));
    return manifest;
  }

  /// Starts a runtime with a home of its own, and returns where it listens once the model is ready.
  private URI start(Path manifest) throws IOException, InterruptedException {
    String name = "runtime-" + processes.size();
    Path announcement = directory.resolve(name + ".json");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx512m",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "--home",
                directory.resolve(name).toString(),
                "--secret-file",
                directory.resolve("secret").toString(),
                "--announce",
                announcement.toString(),
                "--memory",
                "256M",
                "--threads",
                "1",
                "--function",
                manifest.toString())
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("log").toFile())
            .start();
    processes.add(process);
    await(process, () -> Files.exists(announcement));
    int port = JSON.readTree(announcement.toFile()).path("port").asInt();
    URI runtime = URI.create("http://127.0.0.1:" + port);
    await(
        process,
        () ->
            JSON.readTree(send(request(runtime, ControlApi.STATUS).GET()).body())
                .at("/instances/0/tier")
                .asText()
                .equals("ready"));
    return runtime;
  }

  private interface Condition {
    boolean holds() throws IOException, InterruptedException;
  }

  private void await(Process process, Condition condition)
      throws IOException, InterruptedException {
    while (!condition.holds()) {
      assertThat(process.waitFor(5, TimeUnit.MILLISECONDS))
          .as("the runtime ended: %s", Files.readString(directory.resolve("log")))
          .isFalse();
    }
  }

  private HttpRequest.Builder request(URI runtime, String path) throws IOException {
    return HttpRequest.newBuilder(runtime.resolve(path))
        .header("authorization", "Bearer " + Files.readString(directory.resolve("secret")).strip())
        .header("weft-tokens", "1")
        .timeout(Duration.ofMinutes(2));
  }

  private HttpResponse<String> send(HttpRequest.Builder request)
      throws IOException, InterruptedException {
    return http.send(request.build(), BodyHandlers.ofString());
  }

  /// What was read of a stream: the tokens of all frames, and what was said of keys and values.
  private static final class Heard {
    private final List<String> tokens = new ArrayList<>();
    private final List<String> said = new ArrayList<>();
    private String last = "";

    void hear(String line) {
      if (line.startsWith(": t")) {
        List<String> words = List.of(line.split(" ", -1));
        int end = words.indexOf("end");
        tokens.addAll(words.subList(2, end < 0 ? words.size() : end));
      } else if (line.startsWith(": kv ")) {
        said.add(line);
      } else if (line.startsWith("data: ")) {
        last = line;
      }
    }
  }

  private Heard hear(HttpRequest.Builder request) throws IOException, InterruptedException {
    var heard = new Heard();
    HttpResponse<String> response = send(request);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    response.body().lines().forEach(heard::hear);
    return heard;
  }

  private HttpRequest.Builder generate(URI runtime) throws IOException {
    return request(runtime, "/v1/completions").POST(BodyPublishers.ofString(REQUEST));
  }

  /// Reads a stream until its runtime, which is told to unload the model after some tokens, gives
  /// it up.
  private Heard readUntilUnloaded(URI runtime) throws IOException, InterruptedException {
    var heard = new Heard();
    HttpResponse<Stream<String>> response =
        http.send(generate(runtime).build(), BodyHandlers.ofLines());
    var unloaded = new CompletableFuture<HttpResponse<String>>();
    boolean asked = false;
    for (Iterator<String> lines = response.body().iterator(); lines.hasNext(); ) {
      heard.hear(lines.next());
      if (!asked && heard.tokens.size() >= 30) {
        asked = true;
        unloaded =
            http.sendAsync(
                request(runtime, ControlApi.UNLOAD)
                    .POST(BodyPublishers.ofString("{\"revision\":\"chat-00001\",\"force\":true}"))
                    .build(),
                BodyHandlers.ofString());
      }
    }
    assertThat(unloaded.join().statusCode()).isEqualTo(200);
    assertThat(heard.last).contains("model_unloaded");
    return heard;
  }

  private Heard goOn(URI runtime, Heard read, URI from) throws IOException, InterruptedException {
    List<String> kept = List.of(read.said.getLast().split(" ", -1));
    String body =
        "{\"path\":\"/v1/completions\",\"choices\":[{\"index\":0,\"tokens\":[%s],\"kv\":{\"at\":\"%s\",\"tokens\":%s}}],\"request\":%s}"
            .formatted(
                String.join(",", read.tokens),
                from.resolve(ControlApi.KV + kept.get(4)),
                kept.get(5),
                REQUEST);
    return hear(request(runtime, ControlApi.CONTINUE).POST(BodyPublishers.ofString(body)));
  }

  private static List<String> all(Heard read, Heard rest) {
    List<String> all = new ArrayList<>(read.tokens);
    all.addAll(rest.tokens);
    return all;
  }

  @ParameterizedTest
  @ValueSource(strings = {"f16", "int8"})
  void aStreamMovesWithWhatItHas(String kvCache) throws IOException, InterruptedException {
    Path manifest = manifest(kvCache);
    URI first = start(manifest);
    URI second = start(manifest);
    List<String> whole = hear(generate(first)).tokens;
    assertThat(whole).hasSize(TOKENS);

    Heard read = readUntilUnloaded(first);
    Heard rest = goOn(second, read, first);

    assertThat(all(read, rest)).isEqualTo(whole);
    assertThat(rest.last).isEqualTo("data: [DONE]");
    assertThat(rest.said).singleElement().asString().contains(" tokens came from ");
    assertThat(metric(second, "outcome=\"moved\"")).isEqualTo(1);
  }

  @Test
  void aRuntimeThatIsKilledWhileItSendsCostsTime() throws IOException, InterruptedException {
    Path manifest = manifest("f16");
    URI first = start(manifest);
    URI second = start(manifest);
    List<String> whole = hear(generate(first)).tokens;

    Heard read = readUntilUnloaded(first);
    Heard rest;
    try (var cut = new Cut(first, processes.getFirst())) {
      rest = goOn(second, read, cut.address());
    }

    assertThat(processes.getFirst().isAlive()).isFalse();
    assertThat(all(read, rest)).isEqualTo(whole);
    assertThat(rest.last).isEqualTo("data: [DONE]");
    assertThat(rest.said)
        .singleElement()
        .asString()
        .matches(": kv keys and values of [1-9]\\d* tokens came from .*, the rest is computed: .*");
    assertThat(metric(second, "outcome=\"computed\"")).isEqualTo(1);
  }

  private double metric(URI runtime, String tag) throws IOException, InterruptedException {
    return send(request(runtime, "/metrics").GET())
        .body()
        .lines()
        .filter(line -> line.startsWith("weft_runtime_kv_arrivals_total") && line.contains(tag))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
        .sum();
  }

  /// Passes one connection on to a runtime, and a part of what that answers, and kills it then.
  private static final class Cut implements AutoCloseable {
    private static final int PASSED_BYTES = 300 << 10;

    private final ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    private final URI runtime;
    private final Process process;
    private final CompletableFuture<Void> passed;

    Cut(URI runtime, Process process) throws IOException {
      this.runtime = runtime;
      this.process = process;
      passed = CompletableFuture.runAsync(this::pass);
    }

    URI address() {
      return URI.create("http://127.0.0.1:" + server.getLocalPort());
    }

    private void pass() {
      try (Socket asks = server.accept();
          Socket answers = new Socket(runtime.getHost(), runtime.getPort())) {
        Thread.ofVirtual().start(() -> copy(asks, answers, Integer.MAX_VALUE));
        copy(answers, asks, PASSED_BYTES);
        process.destroyForcibly().waitFor();
      } catch (IOException | InterruptedException e) {
        throw new AssertionError(e);
      }
    }

    private static void copy(Socket from, Socket to, int most) {
      try {
        InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream();
        byte[] buffer = new byte[8 << 10];
        int left = most;
        for (int read = in.read(buffer); read >= 0 && left > 0; read = in.read(buffer)) {
          out.write(buffer, 0, Math.min(read, left));
          left -= read;
        }
      } catch (IOException e) {
        // One of the two has gone, as it was meant to.
        return;
      }
    }

    @Override
    public void close() throws IOException {
      passed.join();
      server.close();
    }
  }
}
