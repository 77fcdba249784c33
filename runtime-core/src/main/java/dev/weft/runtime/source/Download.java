package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.Web.Answer;
import dev.weft.runtime.source.Web.Rules;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// Downloads one file, going on from what an earlier try left under `<name>.incomplete`, and gives
/// it its name only when it is whole and has the promised hash. Memory is one buffer, whatever the
/// file's size. The caller holds the file's lock.
///
/// A rest is asked for with `Range`. Where the name does not already stand for the content, the
/// first answer's strong `ETag` is kept beside the file and sent back as `If-Range` (RFC 9110,
/// 13.1.5), so that a file that has changed meanwhile comes whole instead of as a patchwork.
final class Download {
  private static final int BUFFER_BYTES = 1 << 18;
  private static final int MAX_ATTEMPTS = 5;
  private static final Duration PAUSE = Duration.ofMillis(100);

  private final Web web;
  private final Disk disk;
  private final Duration stallTimeout;
  private final Wanted wanted;
  private final Transfer transfer;
  private final Path incomplete;
  private final Path validator;
  private long counted;
  private long received;
  private OptionalLong total = OptionalLong.empty();

  /// Free space, asked before a download whose size is known.
  @FunctionalInterface
  interface Disk {
    Disk REAL = directory -> Files.getFileStore(directory).getUsableSpace();

    long usableBytes(Path directory) throws IOException;
  }

  /// What all downloads of a fetcher share.
  record Means(Web web, Disk disk, Duration stallTimeout) {}

  /// One file to get.
  ///
  /// @param target its final name
  /// @param label for messages
  /// @param bytes its size, if that was promised
  /// @param hash what it must hash to under `algorithm`, if that was promised
  /// @param named whether `target` is named by content, so that a part of it can only be of this
  ///   file
  record Wanted(
      URI address,
      Rules rules,
      Path target,
      String label,
      OptionalLong bytes,
      long maxBytes,
      String algorithm,
      @Nullable String hash,
      boolean named,
      Protocol protocol) {}

  /// What a kind of server has of its own.
  interface Protocol {
    Protocol PLAIN = new Protocol() {};

    /// Headers of every request.
    default Map<String, String> headers() {
      return Map.of();
    }

    /// Sees the first answer's headers and throws if they tell of another file.
    default void check(HttpHeaders first) {}

    /// What an answer that is no file means.
    default SourceException failure(Answer answer, String label) {
      return Web.failure(answer.status(), label);
    }
  }

  private Download(Means means, Wanted wanted, Transfer transfer) {
    this.web = means.web();
    this.disk = means.disk();
    this.stallTimeout = means.stallTimeout();
    this.wanted = wanted;
    this.transfer = transfer;
    this.incomplete = sibling(wanted.target(), ".weft.incomplete");
    this.validator = sibling(wanted.target(), ".weft.etag");
  }

  /// Gets the file. A transfer that ends early is taken up again a few times at once; after that
  /// the part stays for the next call.
  ///
  /// @return the hash under the wanted algorithm
  static String run(Means means, Wanted wanted, Transfer transfer) {
    Download download = new Download(means, wanted, transfer);
    try {
      return download.run();
    } catch (IOException e) {
      throw FileTree.failure("downloading " + wanted.label(), e);
    }
  }

  private String run() throws IOException {
    Files.createDirectories(Objects.requireNonNull(incomplete.getParent()));
    SourceException early = null;
    for (int attempt = 1; ; attempt++) {
      try {
        String hash = attempt();
        Files.deleteIfExists(validator);
        FileTree.rename(incomplete, wanted.target());
        return hash;
      } catch (SourceException e) {
        if (e.code() == Code.CHECKSUM || e.code() == Code.REFUSED) {
          Files.deleteIfExists(incomplete);
          Files.deleteIfExists(validator);
        }
        // Who has sent a part and does not answer for the rest has ended the transfer early.
        early = early != null && e.code() == Code.UNREACHABLE ? early : e;
        if (early.code() != Code.TRUNCATED || attempt == MAX_ATTEMPTS) {
          throw early;
        }
        pause(PAUSE.multipliedBy(attempt));
      }
    }
  }

  private String attempt() throws IOException {
    long have = resumable();
    if (wanted.bytes().isPresent() && have == wanted.bytes().getAsLong()) {
      count(have);
      return verified(Hashes.of(incomplete, wanted.algorithm(), transfer));
    }
    Map<String, String> headers = new HashMap<>(wanted.protocol().headers());
    if (have > 0) {
      headers.put("range", "bytes=%d-".formatted(have));
      if (!wanted.named()) {
        headers.put("if-range", Files.readString(validator, UTF_8));
      }
    }
    try (Answer answer = web.get(wanted.address(), headers, wanted.rules(), transfer)) {
      int status = answer.status();
      if (status == 416) {
        Files.deleteIfExists(incomplete);
        throw new SourceException(
            Code.TRUNCATED,
            wanted.label() + ": the part on disk is not of this file; starting over");
      }
      if (status != 200 && status != 206) {
        throw wanted.protocol().failure(answer, wanted.label());
      }
      wanted.protocol().check(answer.first());
      long from = status == 206 ? have : 0;
      if (status == 206) {
        checkRange(answer, have);
      } else {
        keepValidator(answer);
      }
      if (from > 0) {
        transfer.note("%s: going on at byte %d".formatted(wanted.label(), from));
      }
      return receive(answer, from);
    }
  }

  /// Bytes on disk that the rest may be added to.
  private long resumable() throws IOException {
    long have;
    try {
      have = Files.size(incomplete);
    } catch (NoSuchFileException e) {
      return 0;
    }
    boolean tooLong = wanted.bytes().isPresent() && have > wanted.bytes().getAsLong();
    if (tooLong || (!wanted.named() && !Files.exists(validator))) {
      Files.delete(incomplete);
      return 0;
    }
    return have;
  }

  private void checkRange(Answer answer, long have) {
    String range = answer.header("content-range").orElse("");
    if (!range.startsWith("bytes " + have + "-")) {
      throw new SourceException(
          Code.UNUSABLE,
          "%s: asked for the rest from byte %d, the server sent '%s'"
              .formatted(wanted.label(), have, range));
    }
  }

  private void keepValidator(Answer answer) throws IOException {
    Optional<String> etag = answer.header("etag").filter(value -> value.startsWith("\""));
    if (etag.isPresent() && !wanted.named()) {
      Files.writeString(validator, etag.get(), UTF_8);
    } else {
      Files.deleteIfExists(validator);
    }
  }

  private String receive(Answer answer, long from) throws IOException {
    OptionalLong rest = answer.last().headers().firstValueAsLong("content-length");
    total =
        wanted.bytes().isPresent() || rest.isEmpty()
            ? wanted.bytes()
            : OptionalLong.of(from + rest.getAsLong());
    long most = total.orElse(wanted.maxBytes());
    if (most > wanted.maxBytes()) {
      throw new SourceException(
          Code.REFUSED,
          "%s has %d bytes, and the limit is %d"
              .formatted(wanted.label(), most, wanted.maxBytes()));
    }
    if (total.isPresent()) {
      if (wanted.bytes().isEmpty()) {
        transfer.expect(total.getAsLong());
      }
      checkRoom(total.getAsLong() - from);
    }
    MessageDigest digest = prefixDigest(from);
    count(from);
    received = from;
    try (OutputStream to =
            Files.newOutputStream(
                incomplete,
                StandardOpenOption.CREATE,
                from > 0 ? StandardOpenOption.APPEND : StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE);
        Stream body = new Stream(answer.last().body(), transfer, stallTimeout)) {
      byte[] buffer = new byte[BUFFER_BYTES];
      for (int count = body.read(buffer); count >= 0; count = body.read(buffer)) {
        received += count;
        if (received > most) {
          throw tooMuch(most);
        }
        digest.update(buffer, 0, count);
        to.write(buffer, 0, count);
        count(received);
      }
    }
    if (total.isPresent() && received < total.getAsLong()) {
      throw truncated("the connection was closed", null);
    }
    return verified(Hashes.hex(digest.digest()));
  }

  private SourceException truncated(String reason, @Nullable Throwable cause) {
    String of = total.isPresent() ? " of " + total.getAsLong() : "";
    return new SourceException(
        Code.TRUNCATED,
        "%s: the transfer ended at byte %d%s (%s)".formatted(wanted.label(), received, of, reason),
        cause);
  }

  private SourceException tooMuch(long most) {
    return wanted.bytes().isPresent()
        ? new SourceException(
            Code.CHECKSUM,
            "%s: the server sends more than the promised %d bytes".formatted(wanted.label(), most))
        : new SourceException(
            Code.REFUSED, "%s: more than the limit of %d bytes".formatted(wanted.label(), most));
  }

  /// A digest that has seen the first `from` bytes.
  private MessageDigest prefixDigest(long from) throws IOException {
    if (wanted.algorithm().equals(Hashes.GIT_SHA_1) && total.isEmpty()) {
      throw new SourceException(
          Code.UNUSABLE, wanted.label() + ": the server does not tell the file's size");
    }
    MessageDigest digest = Hashes.digest(wanted.algorithm(), total.orElse(0));
    if (from > 0) {
      Hashes.update(digest, incomplete, transfer);
    }
    return digest;
  }

  private String verified(String actual) {
    if (wanted.hash() != null && !wanted.hash().equals(actual)) {
      throw new SourceException(
          Code.CHECKSUM,
          "%s hashes to %s (%s), and %s was promised"
              .formatted(wanted.label(), actual, wanted.algorithm(), wanted.hash()));
    }
    return actual;
  }

  private void checkRoom(long bytes) throws IOException {
    long usable = disk.usableBytes(Objects.requireNonNull(incomplete.getParent()));
    if (usable < bytes) {
      throw new SourceException(
          Code.DISK_FULL,
          "%s needs %d more bytes, and the disk has %d free"
              .formatted(wanted.label(), bytes, usable));
    }
  }

  private void count(long onDisk) {
    transfer.advance(onDisk - counted);
    counted = onDisk;
  }

  private void pause(Duration pause) {
    try {
      transfer.check();
      Thread.sleep(pause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      transfer.check();
    }
  }

  private static Path sibling(Path file, String suffix) {
    return file.resolveSibling(file.getFileName() + suffix);
  }

  /// A body whose reads end when it is silent for too long or the transfer is cancelled; what else
  /// goes wrong with it is an early end. A watching thread closes it, since a read cannot be told
  /// to give up.
  private final class Stream implements AutoCloseable {
    private static final long WATCH_MILLIS = 100;

    private final InputStream body;
    private final Thread watch;
    private volatile long readAt = System.nanoTime();
    private volatile boolean stalled;

    Stream(InputStream body, Transfer transfer, Duration stallTimeout) {
      this.body = body;
      this.watch =
          Thread.ofVirtual().name("download-watch").start(() -> watch(transfer, stallTimeout));
    }

    int read(byte[] buffer) {
      transfer.check();
      try {
        int count = body.read(buffer);
        readAt = System.nanoTime();
        return stalled ? fail(null) : count;
      } catch (IOException e) {
        return fail(e);
      }
    }

    private int fail(@Nullable IOException e) {
      if (e != null && e.getCause() instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      transfer.check();
      String reason =
          stalled || e == null
              ? "nothing came for %d s".formatted(stallTimeout.toSeconds())
              : String.valueOf(e.getMessage());
      throw truncated(reason, e);
    }

    private void watch(Transfer watched, Duration limit) {
      try {
        while (!watched.cancelled()) {
          Thread.sleep(WATCH_MILLIS);
          if (System.nanoTime() - readAt > limit.toNanos()) {
            stalled = true;
            break;
          }
        }
        body.close();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt(); // the transfer is over
      } catch (IOException e) {
        // The reader hears of it.
      }
    }

    @Override
    public void close() throws IOException {
      watch.interrupt();
      body.close();
    }
  }
}
