package dev.weft.platform.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.flywaydb.core.Flyway;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.postgresql.ds.PGSimpleDataSource;

/// A real PostgreSQL, and what only a database of another process can do: end.
final class PostgresStateTest extends StateContractTest {
  private static PostgresServer server;

  private @Nullable String made;

  @BeforeAll
  static void start() {
    server = PostgresServer.start();
  }

  @AfterAll
  static void stop() {
    if (server != null) {
      server.close();
    }
  }

  private PGSimpleDataSource source() {
    String url = made == null ? server.create() : made;
    made = url;
    return server.source(url);
  }

  @Override
  Database open() {
    PGSimpleDataSource source = source();
    return new Database(
        () -> source,
        () -> Flyway.configure().dataSource(source).locations("db/postgresql").load().migrate());
  }

  @Test
  void severalProcessesMayBeTheFirst() {
    List<CompletableFuture<Integer>> readers =
        IntStream.range(0, 4)
            .mapToObj(_ -> new DatabaseKeyStore(open()))
            .map(keys ->
                CompletableFuture.supplyAsync(() -> keys.all().size(), Thread::startVirtualThread))
            .toList();
    assertThat(readers).allSatisfy(reader -> assertThat(reader.join()).isZero());
  }

  @Test
  void whatIsRecordedWhileItIsAwayIsWrittenWhenItIsBack() {
    InvocationJournal journal = journal(100);
    journal.record(invocation(1, NOW));
    assertThat(journal.recent(NAME, 10)).hasSize(1);
    server.stop();
    try {
      journal.record(invocation(2, NOW));
      assertThatExceptionOfType(DatabaseException.class)
          .isThrownBy(() -> journal.recent(NAME, 10))
          .withMessageStartingWith("the database is away: ")
          .withMessageContaining("127.0.0.1")
          .matches(DatabaseException::away);
      journal.record(invocation(3, NOW));
    } finally {
      server.resume();
    }
    assertThat(journal.recent(NAME, 10))
        .containsExactly(invocation(3, NOW), invocation(2, NOW), invocation(1, NOW));
    assertThat(lost()).isZero();
  }

  @Test
  void whatCannotBeWrittenToTheEndIsCountedAsLost() {
    InvocationJournal journal = journal(100);
    server.stop();
    try {
      journal.open();
      journal.record(invocation(1, NOW));
      journal.close();
      assertThat(lost()).isEqualTo(1);
    } finally {
      server.resume();
    }
  }

  @Test
  void aConnectionThatBreaksInTheMiddleUndoesWhatWasDone() {
    Database database = open();
    assertThatExceptionOfType(DatabaseException.class)
        .isThrownBy(() ->
            database.inTransaction(connection -> {
              Database.update(
                  connection,
                  "INSERT INTO function VALUES ('g', '{}', 1, NULL, ?, ?)",
                  Database.utc(NOW),
                  Database.utc(NOW));
              return Database.query(
                  connection, "SELECT pg_terminate_backend(pg_backend_pid())", row -> 1);
            }))
        .matches(DatabaseException::away);
    List<Integer> names =
        database.inTransaction(
            connection -> Database.query(connection, "SELECT name FROM function", row -> 1));
    assertThat(names).isEmpty();
  }

  @Test
  void tablesThatCannotBeMadeAreSaidSo() {
    PGSimpleDataSource source = source();
    source.setOptions("-c default_transaction_read_only=on");
    Database database =
        new Database(
            () -> source,
            () ->
                Flyway.configure().dataSource(source).locations("db/postgresql").load().migrate());
    assertThatExceptionOfType(DatabaseException.class)
        .isThrownBy(() -> new DatabaseKeyStore(database).all())
        .withMessageContaining("read-only")
        .matches(DatabaseException::away);
    source.setOptions("");
    assertThat(new DatabaseKeyStore(database).all()).as("tried again").isEmpty();
  }
}
