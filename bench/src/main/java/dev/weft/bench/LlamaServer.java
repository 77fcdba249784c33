package dev.weft.bench;

import dev.weft.bench.LoadGenerator.Target;
import java.io.IOException;
import java.net.ConnectException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// llama.cpp's server: as many slots as there may be clients, no prompt cache.
final class LlamaServer extends BenchServer {
  private final HttpClient client = HttpClient.newHttpClient();
  private final URI base;

  private LlamaServer(List<String> command, Path log, int port) throws IOException {
    super(command, log);
    this.base = URI.create("http://127.0.0.1:" + port);
  }

  static LlamaServer start(Path binaries, Path model, int threads, Path log) throws IOException {
    int port = freePort();
    List<String> command =
        List.of(
            binaries.resolve("llama-server").toString(),
            "--model",
            model.toString(),
            "--host",
            "127.0.0.1",
            "--port",
            String.valueOf(port),
            "--threads",
            String.valueOf(threads),
            "--threads-batch",
            String.valueOf(threads),
            "--parallel",
            "8",
            "--ctx-size",
            "8192",
            "--cache-ram",
            "0");
    return new LlamaServer(command, log, port);
  }

  @Override
  Target target() throws IOException, InterruptedException {
    HttpRequest health = HttpRequest.newBuilder(base.resolve("/health")).build();
    await(() -> {
      try {
        return client.send(health, BodyHandlers.discarding()).statusCode() == 200;
      } catch (ConnectException e) {
        return false;
      }
    });
    return new Target(base, "model", "none", Map.of("cache_prompt", false));
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }
}
