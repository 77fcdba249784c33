package dev.weft.bench.load;

import dev.weft.bench.Peer;
import java.io.IOException;
import java.net.ConnectException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A peer's `llama-server`: no prompt cache, else its defaults.
public final class LlamaServer extends BenchServer {
  private final HttpClient client = HttpClient.newHttpClient();
  private final URI base;

  /// @param slots how many sequences it runs at once
  /// @param slotTokens the context of each
  public record Options(Path model, int threads, int slots, int slotTokens, Path log) {}

  private LlamaServer(List<String> command, Path log, int port) throws IOException {
    super(command, log);
    this.base = URI.create("http://127.0.0.1:" + port);
  }

  public static LlamaServer start(Peer peer, Options options) throws IOException {
    int port = freePort();
    List<String> command = new ArrayList<>();
    command.add(peer.binary("llama-server").toString());
    command.addAll(List.of("--model", options.model().toString()));
    command.addAll(List.of("--host", "127.0.0.1", "--port", String.valueOf(port)));
    command.addAll(List.of("--threads", String.valueOf(options.threads())));
    command.addAll(List.of("--threads-batch", String.valueOf(options.threads())));
    command.addAll(List.of("--parallel", String.valueOf(options.slots())));
    command.addAll(List.of("--ctx-size", String.valueOf(options.slots() * options.slotTokens())));
    command.addAll(List.of("--cache-ram", "0"));
    if (peer.repacks()) {
      command.add("--run-time-repack");
    }
    return new LlamaServer(command, options.log(), port);
  }

  @Override
  public Target target() throws IOException, InterruptedException {
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
