package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// An object store on loopback with one bucket, `models`, addressed by paths. It answers as
/// Amazon's does, checks signatures where it has a secret, and can be made to refuse.
final class S3StandIn implements AutoCloseable {
  static final String BUCKET = "models";
  static final String ID = "AKID";

  /// A request as it arrived.
  record Seen(String key, @Nullable String range, @Nullable String ifMatch, boolean signed) {
    boolean isListing() {
      return key.isEmpty();
    }
  }

  /// What is answered to all requests instead.
  record Refusal(int status, String code, String region) {}

  final List<Seen> seen = new CopyOnWriteArrayList<>();
  final AtomicInteger cuts = new AtomicInteger();
  volatile int cutAfterBytes;
  volatile int pauseMillis;
  volatile int pageSize = 1000;
  volatile Optional<String> secret = Optional.empty();
  volatile Optional<Refusal> refusal = Optional.empty();
  volatile boolean listingAllowed = true;
  private final Map<String, byte[]> objects = new ConcurrentSkipListMap<>();
  private final HttpServer server;

  S3StandIn() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            answer(exchange);
          }
        });
    server.start();
  }

  S3StandIn with(String key, byte[] bytes) {
    objects.put(key, bytes);
    return this;
  }

  S3StandIn with(String key, String text) {
    return with(key, text.getBytes(UTF_8));
  }

  String endpoint() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  List<Seen> contents() {
    return seen.stream().filter(one -> !one.isListing()).toList();
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath().substring(1);
    int slash = path.indexOf('/');
    String bucket = slash < 0 ? path : path.substring(0, slash);
    String key = slash < 0 ? "" : path.substring(slash + 1);
    Map<String, String> headers = new HashMap<>();
    exchange
        .getRequestHeaders()
        .forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT), values.getFirst()));
    String query = Objects.requireNonNullElse(exchange.getRequestURI().getRawQuery(), "");
    boolean signed =
        secret
            .map(known ->
                S3Verifier.isSigned(
                    exchange.getRequestURI().getRawPath(), query, headers, ID, known))
            .orElse(false);
    seen.add(new Seen(key, headers.get("range"), headers.get("if-match"), signed));
    if (refusal.isPresent()) {
      refuse(exchange, refusal.get());
    } else if (secret.isPresent() && !signed) {
      boolean anonymous = !headers.containsKey("authorization");
      refuse(exchange, new Refusal(403, anonymous ? "AccessDenied" : "SignatureDoesNotMatch", ""));
    } else if (!bucket.equals(BUCKET)) {
      refuse(exchange, new Refusal(404, "NoSuchBucket", ""));
    } else if (key.isEmpty() && !listingAllowed) {
      refuse(exchange, new Refusal(403, "AccessDenied", ""));
    } else if (key.isEmpty()) {
      list(exchange, members(exchange.getRequestURI().getQuery()));
    } else if (!objects.containsKey(key)) {
      refuse(exchange, new Refusal(404, "NoSuchKey", ""));
    } else {
      send(exchange, headers, bytes(key));
    }
  }

  private static void refuse(HttpExchange exchange, Refusal refusal) throws IOException {
    if (refusal.status() == 301) {
      exchange.getResponseHeaders().add("x-amz-bucket-region", refusal.region());
    }
    String region =
        refusal.status() == 400 ? "<Region>%s</Region>".formatted(refusal.region()) : "";
    send(
        exchange,
        refusal.status(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>no</Message>%s</Error>"
            .formatted(refusal.code(), region));
  }

  private void list(HttpExchange exchange, Map<String, String> query) throws IOException {
    String prefix = query.getOrDefault("prefix", "");
    String after = query.getOrDefault("continuation-token", "");
    StringBuilder contents = new StringBuilder();
    int count = 0;
    String last = "";
    boolean truncated = false;
    for (String key : objects.keySet()) {
      if (!key.startsWith(prefix) || key.compareTo(after) <= 0) {
        continue;
      }
      if (count == pageSize) {
        truncated = true;
        break;
      }
      contents.append(
          "<Contents><Key>%s</Key><ETag>&quot;%s&quot;</ETag><Size>%d</Size></Contents>"
              .formatted(S3Client.encode(key, "/"), tag(bytes(key)), bytes(key).length));
      last = key;
      count++;
    }
    send(
        exchange,
        200,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + "<EncodingType>%s</EncodingType><IsTruncated>%s</IsTruncated>%s%s</ListBucketResult>"
                .formatted(
                    query.getOrDefault("encoding-type", ""),
                    truncated,
                    truncated
                        ? "<NextContinuationToken>%s</NextContinuationToken>".formatted(last)
                        : "",
                    contents));
  }

  private void send(HttpExchange exchange, Map<String, String> headers, byte[] bytes)
      throws IOException {
    String tag = "\"" + tag(bytes) + "\"";
    if (!tag.equals(headers.getOrDefault("if-match", tag))) {
      refuse(exchange, new Refusal(412, "PreconditionFailed", ""));
      return;
    }
    String range = headers.getOrDefault("range", "bytes=0-");
    String[] bounds = range.substring("bytes=".length()).split("-", 2);
    int from = Integer.parseInt(bounds[0]);
    int end =
        bounds.length > 1 && !bounds[1].isEmpty() ? Integer.parseInt(bounds[1]) + 1 : bytes.length;
    boolean partial = headers.containsKey("range");
    exchange.getResponseHeaders().add("ETag", tag);
    if (partial) {
      exchange
          .getResponseHeaders()
          .add("Content-Range", "bytes %d-%d/%d".formatted(from, end - 1, bytes.length));
    }
    exchange.sendResponseHeaders(partial ? 206 : 200, end - from);
    boolean cut = end - from > 1 && cuts.getAndDecrement() > 0;
    int stop = cut ? Math.min(end, from + cutAfterBytes) : end;
    try (OutputStream body = exchange.getResponseBody()) {
      for (int at = from; at < stop; at += 1 << 16) {
        Thread.sleep(pauseMillis);
        body.write(bytes, at, Math.min(1 << 16, stop - at));
        body.flush();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void send(HttpExchange exchange, int status, String xml) throws IOException {
    byte[] body = xml.getBytes(UTF_8);
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
  }

  private static Map<String, String> members(@Nullable String query) {
    Map<String, String> members = new TreeMap<>();
    for (String member : String.valueOf(query).split("&", -1)) {
      String[] parts = member.split("=", 2);
      members.put(parts[0], parts.length == 1 ? "" : parts[1]);
    }
    return members;
  }

  private byte[] bytes(String key) {
    return Objects.requireNonNull(objects.get(key));
  }

  private static String tag(byte[] bytes) {
    return Hashes.hex(Hashes.digest("MD5", 0).digest(bytes));
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
