package dev.weft.platform.state;

import static dev.weft.platform.state.Database.query;
import static dev.weft.platform.state.Database.queryOne;
import static dev.weft.platform.state.Database.update;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.telemetry.Invocation;
import dev.weft.platform.telemetry.InvocationSink;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.enterprise.inject.Typed;
import jakarta.inject.Singleton;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Remembers finished invocations, written behind: callers put them in a bounded queue, and a
/// virtual thread writes what has gathered in a tenth of a second, one transaction a batch, so that
/// what a request costs here is a row and not a commit. Who reads has them written first. While the
/// database is away they wait in the queue. When it is full, an invocation is counted as lost
/// rather than held up. Rows beyond the configured number and age go.
@Singleton
@Typed(InvocationJournal.class)
public final class InvocationJournal implements InvocationSink {
  static final int QUEUE_CAPACITY = 10_000;
  static final int BATCH_SIZE = 500;
  private static final Duration GATHER = Duration.ofMillis(100);
  private static final Duration AGAIN = Duration.ofSeconds(1);

  /// Much longer than a gateway goes on sending one that was taken and not answered.
  private static final Duration BATCHES_KEPT = Duration.ofDays(30);

  private static final Duration PRUNE_EVERY = Duration.ofMinutes(1);
  private static final Logger LOG = LoggerFactory.getLogger(InvocationJournal.class);

  private final Database database;
  private final WeftConfig.Invocations retention;
  private final Counter lost;
  private final BlockingQueue<Invocation> queue = new ArrayBlockingQueue<>(QUEUE_CAPACITY);
  private final ReentrantLock writing = new ReentrantLock();

  /// Taken out of the queue and not written; for who holds `writing`.
  private final List<Invocation> taken = new ArrayList<>();

  private final CountDownLatch closed = new CountDownLatch(1);
  private @Nullable Thread writer;

  public InvocationJournal(Database database, WeftConfig config, MeterRegistry metrics) {
    this.database = database;
    this.retention = config.invocations();
    this.lost =
        Counter.builder("weft.invocations.lost")
            .description("Invocations not recorded because the journal could not keep up")
            .register(metrics);
  }

  @Override
  public void record(Invocation invocation) {
    if (!queue.offer(invocation)) {
      lost.increment();
    }
  }

  /// Takes what another process recorded, and returns when it is written. A batch that has been
  /// taken is not taken again, so that whoever is not sure may send it once more.
  public void take(String batch, List<Invocation> invocations, Instant now) {
    database.inTransaction(connection -> {
      boolean known =
          queryOne(connection, "SELECT 1 FROM invocation_batch WHERE id = ?", row -> true, batch)
              .isPresent();
      if (known) {
        return 0;
      }
      update(
          connection,
          "INSERT INTO invocation_batch (id, taken_at) VALUES (?, ?)",
          batch,
          Database.utc(now));
      return insert(connection, invocations);
    });
  }

  /// Starts the writing thread.
  public void open() {
    writer = Thread.ofVirtual().name("invocation-journal").start(this::writeUntilClosed);
  }

  /// Writes what is in the queue and ends the thread.
  public void close() {
    closed.countDown();
    Thread running = writer;
    if (running == null) {
      return;
    }
    try {
      running.join(Duration.ofSeconds(5));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// The newest invocations of a function, newest first.
  public List<Invocation> recent(FunctionName function, int limit) {
    writeQueued();
    return database.inTransaction(connection ->
        query(
            connection,
            """
            SELECT request_id, revision_number, device, operation, status, error_code, key_id,
              workflow, stage, parent, started_at, held_micros, ttft_micros, duration_micros,
              input_tokens, output_tokens
            FROM invocation WHERE function_name = ? ORDER BY id DESC LIMIT ?
            """,
            row -> read(function, row),
            function.value(),
            limit));
  }

  private void writeUntilClosed() {
    Instant pruned = Instant.EPOCH;
    Duration pause = GATHER;
    boolean last = false;
    while (!last) {
      try {
        last = closed.await(pause.toMillis(), TimeUnit.MILLISECONDS);
        pause = AGAIN;
        writeQueued();
        if (Instant.now().isAfter(pruned.plus(PRUNE_EVERY))) {
          pruned = Instant.now();
          prune(pruned);
        }
        pause = GATHER;
      } catch (DatabaseException e) {
        // The outermost loop of this thread: a full disk must not end the recording for good.
        // That it is away has been said.
        if (!e.away()) {
          LOG.atError().setCause(e).log("invocations could not be written");
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
    lost.increment(queue.size() + taken.size());
  }

  /// Writes all that is queued. When it returns, whoever took something out before has written it.
  private void writeQueued() {
    writing.lock();
    try {
      while (!taken.isEmpty() || queue.drainTo(taken, BATCH_SIZE) > 0) {
        try {
          write(taken);
        } catch (DatabaseException e) {
          if (!e.away()) {
            lost.increment(taken.size());
            taken.clear();
          }
          throw e;
        }
        taken.clear();
      }
    } finally {
      writing.unlock();
    }
  }

  void write(List<Invocation> batch) {
    database.inTransaction(connection -> insert(connection, batch));
  }

  /// Drops rows beyond the number and age that are kept. Rows are read from the oldest on, up to
  /// the first that is kept.
  void prune(Instant now) {
    database.inTransaction(connection ->
        update(
                connection,
                """
                DELETE FROM invocation WHERE id < COALESCE(
                  (SELECT id FROM invocation WHERE started_at >= ? ORDER BY id LIMIT 1),
                  (SELECT MAX(id) + 1 FROM invocation))
                """,
                Database.utc(now.minus(retention.maxAge())))
            + update(
                connection,
                "DELETE FROM invocation WHERE id <= (SELECT MAX(id) FROM invocation) - ?",
                retention.maxRows())
            + update(
                connection,
                "DELETE FROM invocation_batch WHERE taken_at < ?",
                Database.utc(now.minus(BATCHES_KEPT))));
  }

  private static int insert(Connection connection, List<Invocation> batch) throws SQLException {
    String sql =
        """
        INSERT INTO invocation (request_id, function_name, revision_number, device, operation, status,
          error_code, key_id, workflow, stage, parent, started_at, held_micros, ttft_micros,
          duration_micros, input_tokens, output_tokens)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """;
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (Invocation invocation : batch) {
        Database.bind(statement, columns(invocation));
        statement.addBatch();
      }
      return statement.executeBatch().length;
    }
  }

  private static @Nullable Object[] columns(Invocation invocation) {
    RevisionId revision = invocation.revision();
    DeviceId device = invocation.device();
    Invocation.Tokens tokens = invocation.tokens();
    return new @Nullable Object[] {
      invocation.requestId(),
      invocation.function().value(),
      revision == null ? null : revision.number(),
      device == null ? null : device.value(),
      invocation.operation(),
      invocation.status(),
      invocation.errorCode(),
      invocation.keyId(),
      invocation.workflow().workflow(),
      invocation.workflow().stage(),
      invocation.workflow().parent(),
      Database.utc(invocation.startedAt()),
      micros(invocation.held()),
      micros(invocation.ttft()),
      micros(invocation.duration()),
      tokens == null ? null : tokens.input(),
      tokens == null ? null : tokens.output()
    };
  }

  private static Invocation read(FunctionName function, ResultSet row) throws SQLException {
    Integer number = row.getObject(2, Integer.class);
    String device = row.getString(3);
    Long ttft = row.getObject(13, Long.class);
    Long input = row.getObject(15, Long.class);
    Long output = row.getObject(16, Long.class);
    return new Invocation(
        row.getString(1),
        function,
        number == null ? null : new RevisionId(function, number),
        device == null ? null : new DeviceId(device),
        row.getString(4),
        row.getInt(5),
        row.getString(6),
        row.getString(7),
        new Invocation.WorkflowPlace(row.getString(8), row.getString(9), row.getString(10)),
        row.getObject(11, OffsetDateTime.class).toInstant(),
        duration(row.getLong(12)),
        ttft == null ? null : duration(ttft),
        duration(row.getLong(14)),
        input == null || output == null ? null : new Invocation.Tokens(input, output));
  }

  private static @Nullable Long micros(@Nullable Duration duration) {
    return duration == null ? null : TimeUnit.MICROSECONDS.convert(duration);
  }

  private static Duration duration(long micros) {
    return Duration.of(micros, java.time.temporal.ChronoUnit.MICROS);
  }
}
