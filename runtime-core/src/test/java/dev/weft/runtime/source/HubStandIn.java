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
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// A hub on loopback that holds one repository, `acme/tiny`, and speaks the protocol as
/// `huggingface.co` does: large files (`.safetensors`, `.gguf`) are sent by a second server, the
/// content network, after a redirect. Things can be made to go wrong.
final class HubStandIn implements AutoCloseable {
  static final String REPOSITORY = "acme/tiny";
  static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  private static final ObjectMapper JSON = new ObjectMapper();

  /// A request as it arrived.
  record Seen(String server, String path, @Nullable String range, @Nullable String authorization) {}

  final List<Seen> seen = new CopyOnWriteArrayList<>();
  final AtomicInteger cuts = new AtomicInteger();
  volatile int cutAfterBytes;
  volatile int pauseMillis;
  volatile int status = 200;
  volatile String errorCode = "";
  volatile String linkedEtag = "";
  private final Map<String, byte[]> files = new TreeMap<>();
  private final Map<String, byte[]> sent = new HashMap<>();
  private final HttpServer hub;
  private final HttpServer content;

  HubStandIn() throws IOException {
    hub = server("hub", this::answer);
    content = server("content", this::sendContent);
  }

  private HttpServer server(String name, Handler handler) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext(
        "/",
        exchange -> {
          var headers = exchange.getRequestHeaders();
          String path = exchange.getRequestURI().getPath();
          if (exchange.getRequestMethod().equals("GET")) {
            seen.add(
                new Seen(name, path, headers.getFirst("Range"), headers.getFirst("Authorization")));
          }
          try (exchange) {
            handler.handle(exchange);
          }
        });
    server.start();
    return server;
  }

  private interface Handler {
    void handle(HttpExchange exchange) throws IOException;
  }

  HubStandIn with(String path, byte[] bytes) {
    files.put(path, bytes);
    sent.put(path, bytes);
    return this;
  }

  HubStandIn with(String path, String text) {
    return with(path, text.getBytes(UTF_8));
  }

  /// What is sent in place of what is listed.
  void send(String path, byte[] bytes) {
    sent.put(path, bytes);
  }

  String endpoint() {
    return "http://127.0.0.1:" + hub.getAddress().getPort();
  }

  List<Seen> contentRequests() {
    return seen.stream().filter(request -> request.server().equals("content")).toList();
  }

  static boolean isLarge(String path) {
    return path.endsWith(".safetensors") || path.endsWith(".gguf");
  }

  static String hash(String path, byte[] bytes) {
    String algorithm = isLarge(path) ? Hashes.SHA_256 : Hashes.GIT_SHA_1;
    return Hashes.hex(Hashes.digest(algorithm, bytes.length).digest(bytes));
  }

  private void answer(HttpExchange exchange) throws IOException {
    if (status != 200) {
      exchange.getResponseHeaders().add("X-Error-Code", errorCode);
      exchange.sendResponseHeaders(status, -1);
      return;
    }
    String path = exchange.getRequestURI().getPath();
    String api = "/api/models/" + REPOSITORY;
    String resolve = "/" + REPOSITORY + "/resolve/" + COMMIT + "/";
    path = path.replace("/resolve/main/", "/resolve/" + COMMIT + "/");
    if (path.equals(api)
        || path.equals(api + "/revision/main")
        || path.equals(api + "/revision/" + COMMIT)) {
      sendJson(exchange, model());
    } else if (path.equals(api + "/tree/" + COMMIT)) {
      sendJson(exchange, tree());
    } else if (path.startsWith(resolve) && files.containsKey(path.substring(resolve.length()))) {
      sendFile(exchange, path.substring(resolve.length()));
    } else {
      exchange.getResponseHeaders().add("X-Error-Code", "RevisionNotFound");
      exchange.sendResponseHeaders(404, -1);
    }
  }

  private ObjectNode model() {
    ObjectNode model = JSON.createObjectNode().put("id", REPOSITORY).put("sha", COMMIT);
    ArrayNode siblings = model.putArray("siblings");
    files.keySet().forEach(path -> siblings.addObject().put("rfilename", path));
    return model;
  }

  private ArrayNode tree() {
    ArrayNode tree = JSON.createArrayNode();
    files.forEach((path, bytes) -> {
      String gitHash = Hashes.hex(Hashes.digest(Hashes.GIT_SHA_1, bytes.length).digest(bytes));
      ObjectNode node =
          tree.addObject()
              .put("type", "file")
              .put("path", path)
              .put("size", bytes.length)
              .put("oid", gitHash);
      if (isLarge(path)) {
        node.putObject("lfs")
            .put("oid", hash(path, bytes))
            .put("size", bytes.length)
            .put("pointerSize", 132);
      }
    });
    return tree;
  }

  private void sendFile(HttpExchange exchange, String path) throws IOException {
    byte[] listed = bytes(files, path);
    String hash = hash(path, listed);
    var headers = exchange.getResponseHeaders();
    headers.add("X-Repo-Commit", COMMIT);
    if (!isLarge(path)) {
      headers.add("ETag", "\"" + hash + "\"");
      send(exchange, bytes(sent, path));
      return;
    }
    headers.add("X-Linked-Etag", "\"" + (linkedEtag.isEmpty() ? hash : linkedEtag) + "\"");
    headers.add("X-Linked-Size", String.valueOf(listed.length));
    URI at = URI.create("http://127.0.0.1:" + content.getAddress().getPort() + "/" + path);
    headers.add("Location", at.toString());
    exchange.sendResponseHeaders(302, -1);
  }

  private void sendContent(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath().substring(1);
    exchange.getResponseHeaders().add("ETag", "\"" + hash(path, bytes(sent, path)) + "\"");
    send(exchange, bytes(sent, path));
  }

  private void send(HttpExchange exchange, byte[] bytes) throws IOException {
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.getResponseHeaders().add("Content-Length", String.valueOf(bytes.length));
      exchange.sendResponseHeaders(200, -1);
      return;
    }
    String range = exchange.getRequestHeaders().getFirst("Range");
    int from = range == null ? 0 : Integer.parseInt(range.replaceAll("bytes=(\\d+)-.*", "$1"));
    if (from > 0) {
      exchange
          .getResponseHeaders()
          .add("Content-Range", "bytes %d-%d/%d".formatted(from, bytes.length - 1, bytes.length));
    }
    exchange.sendResponseHeaders(from > 0 ? 206 : 200, bytes.length - from);
    boolean cut =
        exchange.getLocalAddress().getPort() == content.getAddress().getPort()
            && cuts.getAndDecrement() > 0;
    int end = cut ? Math.min(bytes.length, from + cutAfterBytes) : bytes.length;
    try (OutputStream body = exchange.getResponseBody()) {
      for (int at = from; at < end; at += 1 << 16) {
        if (at > from) {
          Thread.sleep(pauseMillis);
        }
        body.write(bytes, at, Math.min(1 << 16, end - at));
        body.flush();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void sendJson(HttpExchange exchange, Object value) throws IOException {
    byte[] body = JSON.writeValueAsBytes(value);
    exchange.getResponseHeaders().add("Content-Type", "application/json");
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
  }

  private static byte[] bytes(Map<String, byte[]> files, String path) {
    return Objects.requireNonNull(files.get(path), path);
  }

  /// The paths of the requests that the hub itself got.
  List<String> hubPaths() {
    List<String> paths = new ArrayList<>();
    seen.stream().filter(one -> one.server().equals("hub")).forEach(one -> paths.add(one.path()));
    return paths;
  }

  @Override
  public void close() {
    hub.stop(0);
    content.stop(0);
  }
}
