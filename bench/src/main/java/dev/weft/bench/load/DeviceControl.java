package dev.weft.bench.load;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.ControlApi;
import dev.weft.functions.instance.ControlApi.LoadRequest;
import dev.weft.functions.instance.ControlApi.UnloadRequest;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;

/// A running runtime's control API, beside the platform that started it.
public final class DeviceControl implements AutoCloseable {
  private static final ObjectMapper JSON = Json.mapper();
  private static final Duration PATIENCE = Duration.ofMinutes(3);
  private static final long POLL_MILLIS = 5;
  private static final String DATA = "data:";

  private final String name;
  private final int port;
  private final String secret;
  private final HttpClient client = HttpClient.newHttpClient();

  DeviceControl(String name, int port, String secret) {
    this.name = name;
    this.port = port;
    this.secret = secret;
  }

  public String name() {
    return name;
  }

  /// Returns once it is ready.
  public void load(Revision revision) throws IOException, InterruptedException {
    post(ControlApi.LOAD, new LoadRequest(revision, false));
    await(
        revision.id(),
        instance -> {
          if (instance.failure() != null) {
            throw new IllegalStateException("load: " + instance.failure().message());
          }
          return instance.tier() == Tier.READY;
        });
  }

  /// Returns once it is gone; one that is busy is waited for.
  public void unload(RevisionId revision) throws IOException, InterruptedException {
    await(revision, instance -> !instance.busy());
    post(ControlApi.UNLOAD, new UnloadRequest(revision, false));
  }

  /// Unloads all that is ready.
  public void unloadAll() throws IOException, InterruptedException {
    for (InstanceStatus instance : status().instances()) {
      if (instance.tier() == Tier.READY) {
        unload(instance.revision());
      }
    }
  }

  /// An instance, once it is as wished.
  public InstanceStatus await(RevisionId revision, Predicate<InstanceStatus> wished)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (System.nanoTime() < deadline) {
      Optional<InstanceStatus> found =
          status().instances().stream()
              .filter(instance -> instance.revision().equals(revision))
              .filter(wished)
              .findFirst();
      if (found.isPresent()) {
        return found.get();
      }
      Thread.sleep(POLL_MILLIS);
    }
    throw new IllegalStateException("%s on %s does not become as wished".formatted(revision, name));
  }

  public DeviceStatus status() throws IOException, InterruptedException {
    HttpResponse<String> answer =
        client.send(request(ControlApi.STATUS).build(), BodyHandlers.ofString());
    return JSON.readValue(answer.body(), DeviceStatus.class);
  }

  /// Has `listener` told of every change until this is closed, on a thread of its own.
  public void watch(Consumer<DeviceStatus> listener) throws IOException, InterruptedException {
    HttpResponse<Stream<String>> stream =
        client.send(request(ControlApi.STATUS_STREAM).build(), BodyHandlers.ofLines());
    Thread.ofVirtual()
        .name("watch-" + name)
        .start(() -> {
          try (Stream<String> lines = stream.body()) {
            lines
                .filter(line -> line.startsWith(DATA))
                .forEach(line -> listener.accept(parsed(line.substring(DATA.length()))));
          } catch (UncheckedIOException e) {
            // The runtime has ended, or this was closed: there is nothing more to hear.
          }
        });
  }

  private static DeviceStatus parsed(String json) {
    try {
      return JSON.readValue(json, DeviceStatus.class);
    } catch (IOException e) {
      throw new IllegalStateException("no status: " + json, e);
    }
  }

  private void post(String path, Object body) throws IOException, InterruptedException {
    HttpResponse<String> response =
        client.send(
            request(path)
                .header("content-type", "application/json")
                .POST(BodyPublishers.ofString(JSON.writeValueAsString(body)))
                .build(),
            BodyHandlers.ofString());
    if (response.statusCode() >= 300) {
      throw new IllegalStateException(
          "%s: HTTP %d %s".formatted(path, response.statusCode(), response.body()));
    }
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:%d%s".formatted(port, path)))
        .header("authorization", "Bearer " + secret);
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
