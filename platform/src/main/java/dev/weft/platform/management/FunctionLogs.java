package dev.weft.platform.management;

import dev.weft.functions.FunctionName;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.FunctionController;
import dev.weft.platform.control.RuntimeLauncher;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import jakarta.inject.Singleton;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/// The lines of the runtimes' logs that concern one function: those that name it, or one of its
/// revisions, as a whole word. **thread**: blocks.
@Singleton
public final class FunctionLogs {
  private static final Duration POLL = Duration.ofMillis(250);
  private static final int CHUNK_BYTES = 64 << 10;
  private static final int MAX_LINE_BYTES = 64 << 10;

  private final Fleet fleet;
  private final RuntimeLauncher launcher;
  private final FunctionController controller;

  public FunctionLogs(Fleet fleet, RuntimeLauncher launcher, FunctionController controller) {
    this.fleet = fleet;
    this.launcher = launcher;
    this.controller = controller;
  }

  /// Writes the lines to `response`; with `follow`, goes on until the client leaves or the platform
  /// goes down.
  void write(FunctionName function, boolean follow, HttpServerResponse response)
      throws InterruptedException {
    CountDownLatch left = new CountDownLatch(1);
    response.closeHandler(_ -> left.countDown());
    response.exceptionHandler(_ -> left.countDown());
    response.setChunked(true).putHeader("Content-Type", "text/plain; charset=utf-8");
    List<Tail> tails =
        fleet.snapshot().sorted().stream()
            .map(device -> new Tail(launcher.logFile(device.id()), concerning(function)))
            .toList();
    do {
      for (Tail tail : tails) {
        tail.copyTo(response, left);
      }
    } while (follow
        && !controller.stopped()
        && !left.await(POLL.toMillis(), TimeUnit.MILLISECONDS));
    if (!response.ended() && left.getCount() > 0) {
      response.end();
    }
  }

  /// Matches `name` and `name-00001`, not `other-name` or `name-two`.
  private static Pattern concerning(FunctionName function) {
    return Pattern.compile(
        "(?<![-\\w])%s(-\\d{5,})?(?![-\\w])".formatted(Pattern.quote(function.value())));
  }

  /// Reads a growing file; starts over when it was replaced by a shorter one.
  private static final class Tail {
    private final Path file;
    private final Pattern wanted;
    private final ByteArrayOutputStream partial = new ByteArrayOutputStream();
    private long position;

    Tail(Path file, Pattern wanted) {
      this.file = file;
      this.wanted = wanted;
    }

    void copyTo(HttpServerResponse response, CountDownLatch left) throws InterruptedException {
      try {
        if (!Files.exists(file)) {
          return;
        }
        try (RandomAccessFile reader = new RandomAccessFile(file.toFile(), "r")) {
          if (reader.length() < position) {
            position = 0;
          }
          reader.seek(position);
          byte[] chunk = new byte[CHUNK_BYTES];
          int count = reader.read(chunk);
          while (count > 0 && left.getCount() > 0) {
            position += count;
            emit(chunk, count, response, left);
            count = reader.read(chunk);
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException("cannot read the log " + file.getFileName(), e);
      }
    }

    private void emit(byte[] chunk, int count, HttpServerResponse response, CountDownLatch left)
        throws InterruptedException {
      Buffer matching = Buffer.buffer();
      int start = 0;
      for (int i = 0; i < count; i++) {
        if (chunk[i] == '\n') {
          partial.write(chunk, start, i + 1 - start);
          if (wanted.matcher(partial.toString(StandardCharsets.UTF_8)).find()) {
            matching.appendBytes(partial.toByteArray());
          }
          partial.reset();
          start = i + 1;
        }
      }
      if (partial.size() + count - start < MAX_LINE_BYTES) {
        partial.write(chunk, start, count - start);
      }
      if (matching.length() > 0) {
        response.write(matching);
        while (response.writeQueueFull() && !left.await(10, TimeUnit.MILLISECONDS)) {
          // The client reads slowly; the log waits for it.
        }
      }
    }
  }
}
