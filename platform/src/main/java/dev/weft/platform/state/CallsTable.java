package dev.weft.platform.state;

import static dev.weft.platform.state.Database.query;
import static dev.weft.platform.state.Database.update;

import dev.weft.functions.FunctionName;
import dev.weft.platform.control.Calls;
import dev.weft.platform.control.CallsStore;
import jakarta.inject.Singleton;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
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
  public Map<FunctionName, Calls> all() {
    return database.inTransaction(connection -> {
      // Of those that have been deleted nobody asks any more.
      update(
          connection,
          """
          DELETE FROM function_calls WHERE function_name NOT IN
            (SELECT name FROM function WHERE active_number IS NOT NULL)
          """);
      return query(
              connection,
              "SELECT function_name, last_nanos, gaps FROM function_calls",
              row ->
                  Map.entry(
                      new FunctionName(row.getString(1)),
                      new Calls(row.getLong(2), read(row.getString(3)))))
          .stream()
          .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, Map.Entry::getValue));
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
            update(
                connection,
                """
                MERGE INTO function_calls (function_name, last_nanos, gaps) KEY (function_name)
                VALUES (?, ?, ?)
                """,
                each.getKey().value(),
                each.getValue().lastNanos(),
                write(each.getValue().gaps()));
          }
          return calls.size();
        });
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
