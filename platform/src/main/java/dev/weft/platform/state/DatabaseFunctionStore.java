package dev.weft.platform.state;

import static dev.weft.platform.state.Database.query;
import static dev.weft.platform.state.Database.queryOne;
import static dev.weft.platform.state.Database.update;
import static dev.weft.platform.state.Database.utc;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Json;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.platform.control.DeployedFunction;
import jakarta.enterprise.inject.Typed;
import jakarta.inject.Singleton;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Functions and their revisions on disk.
@Singleton
@Typed(DatabaseFunctionStore.class)
public final class DatabaseFunctionStore implements FunctionStore {
  /// Revisions kept of one function; older ones go, never the active one.
  static final int MAX_REVISIONS = 100;

  private static final String SELECT_FUNCTION =
      "SELECT name, labels, active_number, created_at, updated_at FROM function WHERE ";
  private static final TypeReference<Map<String, String>> LABELS = new TypeReference<>() {};

  private final Database database;
  private final ObjectMapper json = Json.mapper();

  public DatabaseFunctionStore(Database database) {
    this.database = database;
  }

  @Override
  public List<DeployedFunction> all() {
    return database.inTransaction(connection -> {
      List<FunctionName> names =
          query(
              connection,
              "SELECT name FROM function WHERE active_number IS NOT NULL ORDER BY name",
              row -> new FunctionName(row.getString(1)));
      List<DeployedFunction> functions = new ArrayList<>();
      for (FunctionName name : names) {
        functions.add(find(connection, name).orElseThrow());
      }
      return List.copyOf(functions);
    });
  }

  @Override
  public Deployment deploy(Function declared, Instant now) {
    return database.inTransaction(connection -> {
      Optional<DeployedFunction> existing = find(connection, declared.name());
      if (existing.isEmpty()) {
        insertFunction(connection, declared, now);
        return deployed(connection, declared.name(), Change.CREATED);
      }
      boolean sameSpec = existing.get().spec().equals(declared.spec());
      if (sameSpec && existing.get().labels().equals(declared.metadata().labels())) {
        return new Deployment(existing.get(), Change.UNCHANGED);
      }
      update(
          connection,
          "UPDATE function SET labels = ?, updated_at = ? WHERE name = ?",
          write(declared.metadata().labels()),
          utc(now),
          declared.name().value());
      if (!sameSpec) {
        addRevision(connection, declared, now);
      }
      return deployed(
          connection, declared.name(), sameSpec ? Change.LABELS_ONLY : Change.NEW_REVISION);
    });
  }

  @Override
  public Optional<DeployedFunction> activate(FunctionName name, int number, Instant now) {
    return database.inTransaction(connection -> {
      int changed =
          update(
              connection,
              """
              UPDATE function SET active_number = ?, updated_at = ?
              WHERE name = ? AND active_number IS NOT NULL
                AND EXISTS (SELECT 1 FROM revision WHERE function_name = ? AND number = ?)
              """,
              number,
              utc(now),
              name.value(),
              name.value(),
              number);
      return changed == 0 ? Optional.empty() : find(connection, name);
    });
  }

  @Override
  public boolean delete(FunctionName name, Instant now) {
    return database.inTransaction(connection -> {
      update(connection, "DELETE FROM revision WHERE function_name = ?", name.value());
      return update(
              connection,
              """
              UPDATE function SET active_number = NULL, labels = '{}', updated_at = ?
              WHERE name = ? AND active_number IS NOT NULL
              """,
              utc(now),
              name.value())
          > 0;
    });
  }

  private Deployment deployed(Connection connection, FunctionName name, Change change)
      throws SQLException {
    return new Deployment(find(connection, name).orElseThrow(), change);
  }

  /// Inserts a function, or brings a deleted one back with its revision numbers going on.
  private void insertFunction(Connection connection, Function declared, Instant now)
      throws SQLException {
    String labels = write(declared.metadata().labels());
    int changed =
        update(
            connection,
            "UPDATE function SET labels = ?, created_at = ?, updated_at = ? WHERE name = ?",
            labels,
            utc(now),
            utc(now),
            declared.name().value());
    if (changed == 0) {
      update(
          connection,
          """
          INSERT INTO function (name, labels, last_number, active_number, created_at, updated_at)
          VALUES (?, ?, 0, NULL, ?, ?)
          """,
          declared.name().value(),
          labels,
          utc(now),
          utc(now));
    }
    addRevision(connection, declared, now);
  }

  private void addRevision(Connection connection, Function declared, Instant now)
      throws SQLException {
    String name = declared.name().value();
    int number =
        queryOne(
                connection,
                "SELECT last_number FROM function WHERE name = ? FOR UPDATE",
                row -> row.getInt(1) + 1,
                name)
            .orElseThrow();
    update(
        connection,
        "INSERT INTO revision (function_name, number, spec, created_at) VALUES (?, ?, ?, ?)",
        name,
        number,
        write(declared.spec()),
        utc(now));
    update(
        connection,
        "UPDATE function SET last_number = ?, active_number = ? WHERE name = ?",
        number,
        number,
        name);
    update(
        connection,
        "DELETE FROM revision WHERE function_name = ? AND number <= ?",
        name,
        number - MAX_REVISIONS);
  }

  private Optional<DeployedFunction> find(Connection connection, FunctionName name)
      throws SQLException {
    List<Revision> revisions =
        query(
            connection,
            "SELECT number, spec, created_at FROM revision WHERE function_name = ? ORDER BY number",
            row ->
                new Revision(
                    new RevisionId(name, row.getInt(1)),
                    read(row.getString(2), FunctionSpec.class),
                    row.getObject(3, OffsetDateTime.class).toInstant()),
            name.value());
    return queryOne(
        connection,
        SELECT_FUNCTION + "name = ? AND active_number IS NOT NULL",
        row ->
            new DeployedFunction(
                name,
                readLabels(row.getString(2)),
                row.getInt(3),
                revisions,
                row.getObject(4, OffsetDateTime.class).toInstant(),
                row.getObject(5, OffsetDateTime.class).toInstant()),
        name.value());
  }

  private String write(Object value) {
    try {
      return json.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new AssertionError("the contract's records can be written", e);
    }
  }

  private <T> T read(String text, Class<T> type) {
    try {
      return json.readValue(text, type);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(
          "the database holds an unreadable " + type.getSimpleName(), e);
    }
  }

  private Map<String, String> readLabels(String text) {
    try {
      return json.readValue(text, LABELS);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the database holds unreadable labels", e);
    }
  }
}
