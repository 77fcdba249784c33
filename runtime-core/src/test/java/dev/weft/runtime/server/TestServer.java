package dev.weft.runtime.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.instance.ScriptedBackend;
import dev.weft.runtime.instance.TestDevice;
import dev.weft.runtime.model.TinyModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/// A server on loopback with two functions: `chat`, which always says the scripted text, and
/// `embed`, a small encoder.
final class TestServer implements AutoCloseable {
  static final String SECRET = "0123456789abcdef0123456789abcdef";
  static final ObjectMapper JSON = new ObjectMapper();

  final TestDevice device;
  final RuntimeServer server;
  private final RuntimeMetrics metrics = new RuntimeMetrics();
  private final HttpClient http = HttpClient.newHttpClient();

  TestServer(Path directory, String text) {
    this.device = new TestDevice(directory, new ScriptedBackend(text), 1 << 20);
    this.server =
        new RuntimeServer(
            new RuntimeServer.Served(device.instances, device.engine, metrics, () -> {}),
            settings());
    Path decoder = TinyModels.llama(made(directory.resolve("decoder")), 1).writeGguf();
    Path encoder = TinyModels.bert(made(directory.resolve("encoder")), 1).writeSafetensors();
    require(Tier.READY == device.load(TestDevice.revision("chat", decoder), false).tier());
    require(Tier.READY == device.load(TestDevice.revision("embed", encoder), false).tier());
  }

  private static Path made(Path directory) {
    try {
      return Files.createDirectories(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ServerSettings settings() {
    return new ServerSettings(
        "127.0.0.1",
        0,
        SECRET,
        64 << 10,
        Duration.ofSeconds(5),
        Duration.ofMillis(200),
        Duration.ofMillis(200),
        Duration.ofSeconds(1),
        1 << 16,
        2,
        64);
  }

  URI uri(String path) {
    return URI.create("http://127.0.0.1:%d%s".formatted(server.port(), path));
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(uri(path))
        .timeout(Duration.ofSeconds(30))
        .header("Authorization", "Bearer " + SECRET);
  }

  HttpResponse<String> post(String path, String body, String... headers) {
    var request = request(path).POST(HttpRequest.BodyPublishers.ofString(body));
    if (headers.length > 0) {
      request.headers(headers);
    }
    return send(request.build());
  }

  HttpResponse<String> get(String path) {
    return send(request(path).build());
  }

  HttpResponse<String> send(HttpRequest request) {
    try {
      return http.send(request, BodyHandlers.ofString());
    } catch (IOException e) {
      throw new AssertionError("no answer", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  static JsonNode json(HttpResponse<String> response) {
    return parse(response.body());
  }

  static JsonNode parse(String json) {
    try {
      return JSON.readTree(json);
    } catch (IOException e) {
      throw new AssertionError("not JSON: " + json, e);
    }
  }

  private static void require(boolean ready) {
    if (!ready) {
      throw new AssertionError("a test function does not load");
    }
  }

  @Override
  public void close() {
    device.close();
    server.close();
    metrics.close();
    http.close();
  }
}
