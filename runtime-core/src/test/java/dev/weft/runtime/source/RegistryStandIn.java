package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// A registry on loopback with one repository, `acme/tiny`. Layers are sent by a second server, the
/// content network, after a redirect. It may want a login, or tokens that a third server gives.
final class RegistryStandIn implements AutoCloseable {
  static final String REPOSITORY = "acme/tiny";
  static final String LOGIN = Base64.getEncoder().encodeToString("me:geheim".getBytes(UTF_8));
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String MANIFEST = "application/vnd.oci.image.manifest.v1+json";

  /// How the registry wants to be asked.
  enum Access {
    FREE,
    BASIC,
    TOKEN
  }

  /// A request as it arrived.
  record Seen(String server, String path, @Nullable String range, @Nullable String authorization) {}

  final List<Seen> seen = new CopyOnWriteArrayList<>();
  final AtomicInteger cuts = new AtomicInteger();
  final AtomicInteger tokens = new AtomicInteger();
  volatile int cutAfterBytes;
  volatile int pauseMillis;
  volatile int tokenSeconds = 300;
  volatile Access access = Access.FREE;
  private final Map<String, byte[]> blobs = new ConcurrentHashMap<>();
  private final Map<String, byte[]> manifests = new ConcurrentHashMap<>();
  private final ArrayNode layers = JSON.createArrayNode();
  private final HttpServer registry;
  private final HttpServer content;
  private final HttpServer auth;

  RegistryStandIn() throws IOException {
    registry = server("registry", this::answer);
    content = server("content", this::sendContent);
    auth = server("auth", this::sendToken);
  }

  private interface Handler {
    void handle(HttpExchange exchange) throws IOException;
  }

  private HttpServer server(String name, Handler handler) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext(
        "/",
        exchange -> {
          var headers = exchange.getRequestHeaders();
          seen.add(
              new Seen(
                  name,
                  exchange.getRequestURI().toString(),
                  headers.getFirst("Range"),
                  headers.getFirst("Authorization")));
          try (exchange) {
            handler.handle(exchange);
          }
        });
    server.start();
    return server;
  }

  /// Adds a layer, with annotations as pairs of names and values.
  RegistryStandIn layer(String mediaType, byte[] bytes, String... annotations) {
    String digest = digest(bytes);
    blobs.put(digest, bytes);
    ObjectNode layer =
        layers
            .addObject()
            .put("mediaType", mediaType)
            .put("digest", digest)
            .put("size", bytes.length);
    for (int i = 0; i < annotations.length; i += 2) {
      layer.withObject("annotations").put(annotations[i], annotations[i + 1]);
    }
    return this;
  }

  /// Adds a file as ORAS does.
  RegistryStandIn file(String name, byte[] bytes) {
    return layer(
        "application/vnd.oci.image.layer.v1.tar", bytes, "org.opencontainers.image.title", name);
  }

  /// Gives the layers so far a tag, and returns the manifest's digest.
  String tag(String tag) {
    ObjectNode manifest =
        JSON.createObjectNode().put("schemaVersion", 2).put("mediaType", MANIFEST);
    manifest
        .putObject("config")
        .put("mediaType", "application/vnd.oci.empty.v1+json")
        .put("digest", digest("{}".getBytes(UTF_8)))
        .put("size", 2);
    manifest.set("layers", layers.deepCopy());
    return put(tag, manifest);
  }

  /// Gives a tag to an index of manifests: digests, each with its architecture.
  String index(String tag, Map<String, String> architectureByDigest) {
    ObjectNode index =
        JSON.createObjectNode()
            .put("schemaVersion", 2)
            .put("mediaType", "application/vnd.oci.image.index.v1+json");
    ArrayNode list = index.putArray("manifests");
    architectureByDigest.forEach((digest, architecture) ->
        list.addObject()
            .put("mediaType", MANIFEST)
            .put("digest", digest)
            .put("size", 1)
            .putObject("platform")
            .put("os", architecture.equals("unknown") ? "unknown" : "linux")
            .put("architecture", architecture));
    return put(tag, index);
  }

  private String put(String tag, ObjectNode manifest) {
    byte[] bytes = manifest.toString().getBytes(UTF_8);
    manifests.put(tag, bytes);
    manifests.put(digest(bytes), bytes);
    return digest(bytes);
  }

  /// What is sent in place of what the digest says.
  void damage(String digest, byte[] bytes) {
    (manifests.containsKey(digest) ? manifests : blobs).put(digest, bytes);
  }

  void removeLayers() {
    layers.removeAll();
  }

  String host() {
    return "127.0.0.1:" + registry.getAddress().getPort();
  }

  String address(String reference) {
    String separator = reference.startsWith("sha256:") ? "@" : ":";
    return "oci://" + host() + "/" + REPOSITORY + separator + reference;
  }

  List<Seen> contents() {
    return seen.stream().filter(one -> one.server().equals("content")).toList();
  }

  static String digest(byte[] bytes) {
    return "sha256:" + Hashes.hex(Hashes.digest(Hashes.SHA_256, 0).digest(bytes));
  }

  private void answer(HttpExchange exchange) throws IOException {
    String wanted =
        switch (access) {
          case FREE -> "";
          case BASIC -> "Basic " + LOGIN;
          case TOKEN -> "Bearer token-" + tokens.get();
        };
    String given =
        Optional.ofNullable(exchange.getRequestHeaders().getFirst("Authorization")).orElse("");
    var headers = exchange.getResponseHeaders();
    if (!wanted.isEmpty() && !given.equals(wanted)) {
      headers.add(
          "WWW-Authenticate",
          access == Access.BASIC
              ? "Basic realm=\"acme\""
              : "Bearer realm=\"http://127.0.0.1:%d/token\",service=\"the registry\",scope=\"repository:%s:pull\""
                  .formatted(auth.getAddress().getPort(), REPOSITORY));
      exchange.sendResponseHeaders(401, -1);
      return;
    }
    String path = exchange.getRequestURI().getPath();
    String base = "/v2/" + REPOSITORY;
    String reference = path.substring(path.lastIndexOf('/') + 1);
    if (path.equals(base + "/manifests/" + reference) && manifests.containsKey(reference)) {
      byte[] body = Objects.requireNonNull(manifests.get(reference));
      headers.add("Content-Type", JSON.readTree(body).path("mediaType").asText("text/plain"));
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
    } else if (path.equals(base + "/blobs/" + reference) && blobs.containsKey(reference)) {
      headers.add(
          "Location",
          "http://127.0.0.1:%d/%s".formatted(content.getAddress().getPort(), reference));
      exchange.sendResponseHeaders(307, -1);
    } else {
      exchange.sendResponseHeaders(404, -1);
    }
  }

  /// Tokens are for who has the login.
  private void sendToken(HttpExchange exchange) throws IOException {
    if (!("Basic " + LOGIN).equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
      exchange.sendResponseHeaders(401, -1);
      return;
    }
    byte[] body =
        JSON.createObjectNode()
            .put("token", "token-" + tokens.incrementAndGet())
            .put("expires_in", tokenSeconds)
            .toString()
            .getBytes(UTF_8);
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
  }

  private void sendContent(HttpExchange exchange) throws IOException {
    byte[] bytes =
        Objects.requireNonNull(blobs.get(exchange.getRequestURI().getPath().substring(1)));
    String range = exchange.getRequestHeaders().getFirst("Range");
    int from = range == null ? 0 : Integer.parseInt(range.replaceAll("bytes=(\\d+)-.*", "$1"));
    if (from > 0) {
      exchange
          .getResponseHeaders()
          .add("Content-Range", "bytes %d-%d/%d".formatted(from, bytes.length - 1, bytes.length));
    }
    exchange.sendResponseHeaders(from > 0 ? 206 : 200, bytes.length - from);
    boolean cut = cuts.getAndDecrement() > 0;
    int end = cut ? Math.min(bytes.length, from + cutAfterBytes) : bytes.length;
    try (OutputStream body = exchange.getResponseBody()) {
      for (int at = from; at < end; at += 1 << 16) {
        Thread.sleep(pauseMillis);
        body.write(bytes, at, Math.min(1 << 16, end - at));
        body.flush();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    registry.stop(0);
    content.stop(0);
    auth.stop(0);
  }
}
