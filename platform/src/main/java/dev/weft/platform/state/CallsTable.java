package dev.weft.platform.state;

import static dev.weft.platform.state.Database.query;
import static dev.weft.platform.state.Database.update;

import dev.weft.functions.FunctionName;
import dev.weft.platform.control.Calls;
import dev.weft.platform.control.CallsStore;
import jakarta.inject.Singleton;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// When functions are called, on disk: a row for each function.
@Singleton
public final class CallsTable implements CallsStore {
  private static final String SEPARATOR = " ";

  private final Database database;

  public CallsTable(Database database) {
    this.database = database;
  }

  @Override
  public Map<FunctionName, Calls> of(Set<FunctionName> functions) {
    return database.inTransaction(connection -> {
      Map<FunctionName, Calls> kept = new HashMap<>();
      query(
              connection,
              "SELECT function_name, last_nanos, gaps FROM function_calls",
              row ->
                  Map.entry(
                      new FunctionName(row.getString(1)),
                      new Calls(row.getLong(2), read(row.getString(3)))))
          .forEach(entry -> kept.put(entry.getKey(), entry.getValue()));
      for (FunctionName name : Set.copyOf(kept.keySet())) {
        if (!functions.contains(name)) {
          update(connection, "DELETE FROM function_calls WHERE function_name = ?", name.value());
          kept.remove(name);
        }
      }
      return Map.copyOf(kept);
    });
  }

  @Override
  public void keep(Map<FunctionName, Calls> calls) {
    if (calls.isEmpty()) {
      return;
    }
    var _ =
        database.inTransaction(connection -> {
          for (Map.Entry<FunctionName, Calls> each : calls.entrySet()) {
            keep(connection, each.getKey(), each.getValue());
          }
          return calls.size();
        });
  }

  private static void keep(Connection connection, FunctionName function, Calls calls)
      throws SQLException {
    String gaps = write(calls.gaps());
    int changed =
        update(
            connection,
            "UPDATE function_calls SET last_nanos = ?, gaps = ? WHERE function_name = ?",
            calls.lastNanos(),
            gaps,
            function.value());
    if (changed == 0) {
      update(
          connection,
          "INSERT INTO function_calls (function_name, last_nanos, gaps) VALUES (?, ?, ?)",
          function.value(),
          calls.lastNanos(),
          gaps);
    }
  }

  private static String write(List<Double> gaps) {
    return gaps.stream().map(String::valueOf).collect(Collectors.joining(SEPARATOR));
  }

  private static List<Double> read(String gaps) {
    return gaps.isEmpty()
        ? List.of()
        : Arrays.stream(gaps.split(SEPARATOR, -1)).map(Double::valueOf).toList();
  }
}
