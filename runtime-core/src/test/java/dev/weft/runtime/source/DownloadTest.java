package dev.weft.runtime.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.Addresses.Reach;
import dev.weft.runtime.source.Download.Disk;
import dev.weft.runtime.source.Download.Means;
import dev.weft.runtime.source.Download.Wanted;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A file of a web server whose name does not stand for its content: an interrupted download may
/// only go on if the file is still the same.
class DownloadTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);

  private @TempDir Path directory;
  private final List<String> ranges = Collections.synchronizedList(new ArrayList<>());
  private volatile byte[] content = SourceFixture.bytes(500_000, 1);
  private volatile String etag = "\"v1\"";
  private volatile int cutAt = Integer.MAX_VALUE;
  private volatile int status;
  private Duration stallTimeout = TIMEOUT;
  private volatile boolean silent;
  private HttpServer server;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", this::answer);
    server.start();
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String range = exchange.getRequestHeaders().getFirst("Range");
      String ifRange = exchange.getRequestHeaders().getFirst("If-Range");
      ranges.add(range + " " + ifRange);
      if (status != 0) {
        exchange.getResponseHeaders().add("Location", "http://127.0.0.1:1/elsewhere");
        exchange.sendResponseHeaders(status, -1);
        return;
      }
      boolean partial = range != null && etag.equals(ifRange);
      int from = partial ? Integer.parseInt(range.replaceAll("\\D", "")) : 0;
      exchange.getResponseHeaders().add("ETag", etag);
      exchange
          .getResponseHeaders()
          .add(
              "Content-Range",
              "bytes %d-%d/%d".formatted(from, content.length - 1, content.length));
      exchange.sendResponseHeaders(partial ? 206 : 200, content.length - from);
      int end = Math.min(content.length, cutAt);
      exchange.getResponseBody().write(content, from, Math.max(0, end - from));
      exchange.getResponseBody().flush();
      while (silent) {
        LockSupport.parkNanos(1_000_000);
      }
    }
  }

  private Path run(long maxBytes) {
    Transfer transfer =
        new Transfer(ModelSource.of("https://x/m.gguf"), FetchListener.NONE, () -> false);
    Path target = directory.resolve("m.gguf");
    Wanted wanted =
        new Wanted(
            URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/m.gguf"),
            new Web.Rules(0, Reach.PRIVATE, Web.Credential.NONE),
            target,
            "m.gguf",
            OptionalLong.empty(),
            maxBytes,
            Hashes.SHA_256,
            null,
            false,
            Download.Protocol.PLAIN);
    Means means = new Means(new Web(TIMEOUT, TIMEOUT), Disk.REAL, stallTimeout);
    String hash = Download.run(means, wanted, transfer);
    assertThat(hash).isEqualTo(Hashes.of(target, Hashes.SHA_256, transfer));
    return target;
  }

  private Path run() {
    return run(1 << 20);
  }

  private void assertFails(Code code, long maxBytes) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> run(maxBytes))
        .satisfies(e -> assertThat(e.code()).isEqualTo(code));
  }

  @Test
  void theRestIsAskedForOnConditionThatTheFileIsTheSame() {
    cutAt = 200_000;
    assertFails(Code.TRUNCATED, 1 << 20);
    cutAt = Integer.MAX_VALUE;
    ranges.clear();
    assertThat(run()).hasBinaryContent(content);
    assertThat(ranges).containsExactly("bytes=200000- \"v1\"");
  }

  @Test
  void aFileThatChangedMeanwhileComesWhole() throws IOException {
    cutAt = 200_000;
    assertFails(Code.TRUNCATED, 1 << 20);
    cutAt = Integer.MAX_VALUE;
    content = SourceFixture.bytes(400_000, 2);
    etag = "\"v2\"";
    assertThat(run()).hasBinaryContent(content);
    try (var files = Files.list(directory)) {
      assertThat(files).containsExactly(directory.resolve("m.gguf"));
    }
  }

  @Test
  void aPartWithoutStrongTagIsNotTrusted() {
    etag = "W/\"weak\"";
    cutAt = 200_000;
    assertFails(Code.TRUNCATED, 1 << 20);
    cutAt = Integer.MAX_VALUE;
    ranges.clear();
    assertThat(run()).hasBinaryContent(content);
    assertThat(ranges).containsExactly("null null");
  }

  @Test
  void aSilentTransferEnds() {
    stallTimeout = Duration.ofMillis(200);
    cutAt = 200_000;
    silent = true;
    try {
      assertThatExceptionOfType(SourceException.class)
          .isThrownBy(this::run)
          .satisfies(e -> assertThat(e.code()).isEqualTo(Code.TRUNCATED))
          .withMessageContaining("nothing came");
    } finally {
      silent = false;
    }
  }

  @Test
  void aFileOverTheLimitIsNotReceived() {
    assertFails(Code.REFUSED, 100_000);
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void statusesHaveTheirMeaning() {
    status = 404;
    assertFails(Code.NOT_FOUND, 1 << 20);
    status = 403;
    assertFails(Code.UNAUTHORISED, 1 << 20);
    status = 500;
    assertFails(Code.UNREACHABLE, 1 << 20);
    status = 302;
    assertFails(Code.REFUSED, 1 << 20);
  }
}
