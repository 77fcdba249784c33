package dev.weft.platform.stub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// Calls the platform as tests need it.
public final class PlatformClient {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final URI base;
  private final Path home;
  private final @Nullable String key;
  private final List<String> headers;

  public PlatformClient(int port, String home) {
    this(port, home, read(Path.of(home, "keys", "default")));
  }

  public PlatformClient(int port, String home, @Nullable String key) {
    this(port, home, key, List.of());
  }

  private PlatformClient(int port, String home, @Nullable String key, List<String> headers) {
    this.headers = headers;
    this.base = URI.create("http://127.0.0.1:" + port);
    this.home = Path.of(home);
    this.key = key;
  }

  public record Reply(int status, HttpResponse<String> raw, String body) {
    public JsonNode json() {
      try {
        return JSON.readTree(body);
      } catch (IOException e) {
        throw new UncheckedIOException(body, e);
      }
    }

    public JsonNode error() {
      return json().path("error");
    }
  }

  public PlatformClient withKey(@Nullable String other) {
    return new PlatformClient(base.getPort(), home.toString(), other);
  }

  /// The same with more headers, names and values by turns.
  public PlatformClient withHeaders(String... more) {
    return new PlatformClient(base.getPort(), home.toString(), key, List.of(more));
  }

  public String key() {
    return key == null ? "" : key;
  }

  public URI base() {
    return base;
  }

  public Reply get(String path) {
    return send("GET", path, "");
  }

  public Reply post(String path, String body) {
    return send("POST", path, body);
  }

  public Reply send(String method, String path, String body) {
    return sendAsync(method, path, body).join();
  }

  public CompletableFuture<Reply> sendAsync(String method, String path, String body) {
    return http.sendAsync(request(method, path, body), HttpResponse.BodyHandlers.ofString())
        .thenApply(response -> new Reply(response.statusCode(), response, response.body()));
  }

  /// The answer as it comes.
  public HttpResponse<InputStream> open(String path, String body) {
    return open("POST", path, body);
  }

  public HttpResponse<InputStream> openGet(String path) {
    return open("GET", path, "");
  }

  private HttpResponse<InputStream> open(String method, String path, String body) {
    try {
      return http.send(request(method, path, body), HttpResponse.BodyHandlers.ofInputStream());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private HttpRequest request(String method, String path, String body) {
    HttpRequest.Builder builder =
        HttpRequest.newBuilder(URI.create(base + path))
            .timeout(Duration.ofSeconds(60))
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body));
    if (key != null) {
      builder.header("Authorization", "Bearer " + key);
    }
    if (!headers.isEmpty()) {
      builder.headers(headers.toArray(String[]::new));
    }
    return builder.build();
  }

  /// Deploys a function whose model behaves like `behaviour`, with `extra` members of `spec`.
  public Reply deploy(String name, String behaviour, String extra) {
    String manifest =
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata: {name: %s}
        spec:
          model: {sources: ["file:///stub/%s"]}
        %s
        """
            .formatted(name, behaviour, extra.indent(2));
    return post("/api/v1/functions", manifest);
  }

  public void deployed(String name, String behaviour) {
    Reply reply = deploy(name, behaviour, "");
    if (reply.status() >= 300) {
      throw new AssertionError(reply.body());
    }
  }

  /// Deploys and waits until an instance is ready.
  public void warm(String name, String behaviour) {
    deployed(name, behaviour);
    post("/api/v1/functions/" + name + "/prewarm", "{}");
    await(() -> tier(name).equals("ready"));
  }

  public String tier(String name) {
    return get("/api/v1/functions/" + name).json().path("status").path("tier").asText();
  }

  public JsonNode stats() {
    return stub("/stub/stats");
  }

  /// Asks the stub something that the platform does not know of.
  public JsonNode stub(String path) {
    return stub("cpu-0", path);
  }

  /// The same of the stub of a device.
  public JsonNode stub(String device, String path) {
    Path announced = home.resolve("run/runtimes/%s.json".formatted(device));
    try {
      int port = JSON.readTree(Files.readString(announced)).path("port").asInt();
      HttpRequest request =
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path)).build();
      return JSON.readTree(http.send(request, HttpResponse.BodyHandlers.ofString()).body());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  public int loads(String revision) {
    return stats().path("loads").path(revision).asInt();
  }

  public long runtimePid() {
    try {
      return JSON.readTree(Files.readString(home.resolve("run/runtimes/cpu-0.json")))
          .path("pid")
          .asLong();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public void killRuntime() {
    ProcessHandle.of(runtimePid()).orElseThrow().destroyForcibly();
  }

  public static String chat(String model, String text) {
    return "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}"
        .formatted(model, text);
  }

  public static String chatStream(String model, String text) {
    return "{\"model\":\"%s\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}"
        .formatted(model, text);
  }

  /// Waits until a condition holds, at most 20 s.
  public static void await(BooleanSupplier condition) {
    Instant giveUp = Instant.now().plusSeconds(20);
    while (!condition.getAsBoolean()) {
      if (Instant.now().isAfter(giveUp)) {
        throw new AssertionError("the condition did not come true within 20 s");
      }
      try {
        Thread.sleep(10);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
