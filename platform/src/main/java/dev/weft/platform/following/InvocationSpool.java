package dev.weft.platform.following;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.control.RuntimeClient;
import dev.weft.platform.control.RuntimeUnavailableException;
import dev.weft.platform.following.ControllerState.InvocationBatch;
import dev.weft.platform.telemetry.Invocation;
import dev.weft.platform.telemetry.InvocationSink;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.enterprise.inject.Typed;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A gateway's finished invocations on their way to the controller. What has gathered in a tenth of
/// a second becomes a file, and a file goes when the controller has said that it is written: so
/// neither process loses what is here by its own end, and a batch that is sent twice counts once.
@Singleton
@Typed(InvocationSpool.class)
public final class InvocationSpool implements InvocationSink {
  static final int MAX_FILES = 10_000;
  private static final int QUEUE_CAPACITY = 10_000;
  private static final int BATCH_SIZE = 500;
  private static final Duration GATHER = Duration.ofMillis(100);
  private static final Duration AGAIN = Duration.ofMillis(500);
  private static final String SUFFIX = ".json";
  private static final Logger LOG = LoggerFactory.getLogger(InvocationSpool.class);

  private final WeftHome home;
  private final ControllerAddress controller;
  private final RuntimeClient client;
  private final Counter lost;
  private final BlockingQueue<Invocation> queue = new ArrayBlockingQueue<>(QUEUE_CAPACITY);
  private final CountDownLatch closed = new CountDownLatch(1);
  private final ObjectMapper json = Json.mapper();
  private @Nullable Thread writer;
  private @Nullable Thread sender;

  InvocationSpool(
      WeftConfig config,
      ControllerAddress controller,
      RuntimeClient client,
      MeterRegistry metrics) {
    this.home = new WeftHome(config.home());
    this.controller = controller;
    this.client = client;
    this.lost =
        Counter.builder("weft.invocations.spool.lost")
            .description("Invocations not kept for the controller because there were too many")
            .register(metrics);
  }

  @Override
  public void record(Invocation invocation) {
    if (!queue.offer(invocation)) {
      lost.increment();
    }
  }

  public void open() {
    RuntimeAddress address = controller.get();
    Thread writing = Thread.ofVirtual().name("invocation-spool").start(this::writeUntilClosed);
    writer = writing;
    sender = Thread.ofVirtual().name("invocation-sender").start(() -> send(address, writing));
  }

  /// Writes what is queued and sends it. What the controller does not take now, the next gateway of
  /// this home sends.
  public void close() throws InterruptedException {
    closed.countDown();
    for (Thread thread : new @Nullable Thread[] {writer, sender}) {
      if (thread != null) {
        thread.join(Duration.ofSeconds(5));
      }
    }
  }

  private void writeUntilClosed() {
    boolean last = false;
    while (!last) {
      try {
        last = closed.await(GATHER.toMillis(), TimeUnit.MILLISECONDS);
        writeQueued();
      } catch (UncheckedIOException | IOException e) {
        // The outermost loop of this thread: a full disk must not end the recording for good.
        LOG.atError().setCause(e).log("invocations could not be kept");
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private void writeQueued() throws IOException {
    List<Invocation> batch = new ArrayList<>();
    while (queue.drainTo(batch, BATCH_SIZE) > 0) {
      boolean kept = false;
      try {
        if (files().size() < MAX_FILES) {
          // The time in the name has them sent in their order.
          String id = "%016x-%s".formatted(System.currentTimeMillis(), UUID.randomUUID());
          WeftHome.writePrivately(
              home.spool().resolve(id + SUFFIX),
              json.writeValueAsString(new InvocationBatch(id, List.copyOf(batch))));
          kept = true;
        }
      } finally {
        if (!kept) {
          lost.increment(batch.size());
        }
      }
      batch.clear();
    }
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(home.spool())) {
      return files.filter(file -> file.toString().endsWith(SUFFIX)).sorted().toList();
    }
  }

  /// Once more when the writer has written its last.
  private void send(RuntimeAddress address, Thread writing) {
    try {
      boolean last = false;
      Duration pause = GATHER;
      while (!last) {
        last = closed.await(pause.toMillis(), TimeUnit.MILLISECONDS);
        if (last) {
          writing.join();
        }
        pause = GATHER;
        try {
          for (Path file : files()) {
            sendFile(address, file);
          }
        } catch (RuntimeUnavailableException e) {
          LOG.atDebug().setCause(e).log("the controller does not take invocations");
          pause = AGAIN;
        } catch (IOException e) {
          LOG.atError().setCause(e).log("invocations cannot be sent");
          pause = AGAIN;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void sendFile(RuntimeAddress address, Path file) throws IOException {
    InvocationBatch batch;
    try {
      batch = json.readValue(Files.readString(file), InvocationBatch.class);
    } catch (JsonProcessingException e) {
      LOG.atError().addKeyValue("file", file).setCause(e).log("a damaged batch is left aside");
      Files.move(file, Path.of(file + ".damaged"));
      return;
    }
    client.send(address, ControllerState.INVOCATIONS, batch);
    Files.delete(file);
  }
}
