package dev.weft.platform.state;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.arc.InjectableInstance;
import jakarta.enterprise.inject.Any;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs transactions, in the embedded database or in PostgreSQL, whichever is configured. The first
/// one makes the tables, or brings them up to date. A gateway has no database: there the first use
/// fails, and nothing uses it. **thread**: blocks; never an event loop.
@Singleton
public final class Database {
  private static final Logger LOG = LoggerFactory.getLogger(Database.class);

  private final Supplier<DataSource> source;
  private final Runnable migration;
  private final ReentrantLock migrating = new ReentrantLock();
  private final AtomicBoolean away = new AtomicBoolean();
  private volatile boolean migrated;

  @Inject
  public Database(
      @Any InjectableInstance<DataSource> sources,
      @Any InjectableInstance<Flyway> migrations,
      MeterRegistry metrics) {
    this(() -> sources.getActive(), () -> migrations.getActive().migrate());
    Gauge.builder("weft.database.away", away, flag -> flag.get() ? 1 : 0)
        .description("1 while the database cannot be used")
        .register(metrics);
  }

  Database(Supplier<DataSource> source, Runnable migration) {
    this.source = source;
    this.migration = migration;
  }

  /// What is done within one transaction.
  @FunctionalInterface
  interface Work<T> {
    T run(Connection connection) throws SQLException;
  }

  /// Turns one row into a value.
  @FunctionalInterface
  interface RowReader<T> {
    T read(ResultSet row) throws SQLException;
  }

  /// Runs `work`; what it did is kept when it returns and undone when it throws. Where the
  /// connection breaks while that is being agreed on, it may be kept all the same.
  <T> T inTransaction(Work<T> work) {
    try (Connection connection = connect()) {
      try {
        connection.setAutoCommit(false);
        T result = work.run(connection);
        connection.commit();
        return result;
      } catch (SQLException e) {
        throw failed(connection, e);
      } catch (RuntimeException e) {
        connection.rollback();
        throw e;
      }
    } catch (SQLException e) {
      throw unusable(e);
    }
  }

  private Connection connect() {
    try {
      Connection connection = source.get().getConnection();
      try {
        migrate();
      } catch (RuntimeException e) {
        connection.close();
        throw e;
      }
      if (away.getAndSet(false)) {
        LOG.atInfo().log("the database is back");
      }
      return connection;
    } catch (SQLException | UncheckedIOException | FlywayException e) {
      throw unusable(e);
    }
  }

  private void migrate() {
    if (migrated) {
      return;
    }
    migrating.lock();
    try {
      if (!migrated) {
        migration.run();
        migrated = true;
      }
    } finally {
      migrating.unlock();
    }
  }

  /// What the database would not do, or could not do: then the connection is of no more use.
  private DatabaseException failed(Connection connection, SQLException cause) {
    try {
      if (connection.isValid(1)) {
        connection.rollback();
        return new DatabaseException("the database refused: " + cause.getMessage(), cause, false);
      }
    } catch (SQLException e) {
      cause.addSuppressed(e);
    }
    return unusable(cause);
  }

  /// Said once, until it is back.
  private DatabaseException unusable(Exception cause) {
    String reason = reason(cause);
    if (!away.getAndSet(true)) {
      LOG.atWarn().addKeyValue("reason", reason).setCause(cause).log("the database is away");
    }
    return new DatabaseException("the database is away: " + reason, cause, true);
  }

  /// Of a migration, what the database said, which is a few lines further down.
  private static @Nullable String reason(Exception failure) {
    return failure instanceof FlywayException && failure.getCause() instanceof SQLException said
        ? said.getMessage()
        : failure.getMessage();
  }

  static <T> List<T> query(
      Connection connection, String sql, RowReader<T> reader, @Nullable Object... arguments)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      bind(statement, arguments);
      List<T> rows = new ArrayList<>();
      try (ResultSet result = statement.executeQuery()) {
        while (result.next()) {
          rows.add(reader.read(result));
        }
      }
      return rows;
    }
  }

  static <T> Optional<T> queryOne(
      Connection connection, String sql, RowReader<T> reader, @Nullable Object... arguments)
      throws SQLException {
    return query(connection, sql, reader, arguments).stream().findFirst();
  }

  /// Returns the number of rows changed.
  static int update(Connection connection, String sql, @Nullable Object... arguments)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      bind(statement, arguments);
      return statement.executeUpdate();
    }
  }

  static void bind(PreparedStatement statement, @Nullable Object... arguments) throws SQLException {
    for (int i = 0; i < arguments.length; i++) {
      statement.setObject(i + 1, arguments[i]);
    }
  }

  static OffsetDateTime utc(Instant instant) {
    return instant.atOffset(ZoneOffset.UTC);
  }
}
