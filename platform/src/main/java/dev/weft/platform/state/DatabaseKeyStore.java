package dev.weft.platform.state;

import static dev.weft.platform.state.Database.query;
import static dev.weft.platform.state.Database.update;

import dev.weft.functions.FunctionName;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.Scope;
import dev.weft.platform.keys.Secret;
import jakarta.enterprise.inject.Typed;
import jakarta.inject.Singleton;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Keys on disk, by the hash of their secret.
@Singleton
@Typed(DatabaseKeyStore.class)
public final class DatabaseKeyStore implements KeyStore {
  private static final String SEPARATOR = ",";

  private final Database database;

  public DatabaseKeyStore(Database database) {
    this.database = database;
  }

  @Override
  public Map<Secret.Hash, ApiKey> all() {
    return database.inTransaction(connection -> {
      Map<Secret.Hash, ApiKey> keys = new LinkedHashMap<>();
      query(
              connection,
              "SELECT hash, id, name, scopes, functions, created_at FROM api_key ORDER BY created_at, id",
              row ->
                  Map.entry(
                      new Secret.Hash(row.getBytes(1)),
                      new ApiKey(
                          row.getString(2),
                          row.getString(3),
                          splitScopes(row.getString(4)),
                          splitFunctions(row.getString(5)),
                          row.getObject(6, OffsetDateTime.class).toInstant())))
          .forEach(entry -> keys.put(entry.getKey(), entry.getValue()));
      return keys;
    });
  }

  @Override
  public void insert(Secret.Hash hash, ApiKey key) {
    Set<FunctionName> functions = key.functions();
    database.inTransaction(connection ->
        update(
            connection,
            "INSERT INTO api_key (id, name, hash, scopes, functions, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            key.id(),
            key.name(),
            hash.bytes(),
            join(key.scopes()),
            functions == null ? null : join(functions),
            Database.utc(key.createdAt())));
  }

  @Override
  public boolean delete(String id) {
    return database.inTransaction(
        connection -> update(connection, "DELETE FROM api_key WHERE id = ?", id) > 0);
  }

  private static String join(Collection<?> values) {
    return values.stream().map(Object::toString).sorted().collect(Collectors.joining(SEPARATOR));
  }

  private static Set<Scope> splitScopes(String text) {
    return Arrays.stream(text.split(SEPARATOR)).map(Scope::valueOf).collect(Collectors.toSet());
  }

  private static @Nullable Set<FunctionName> splitFunctions(@Nullable String text) {
    if (text == null) {
      return null;
    }
    return text.isEmpty()
        ? Set.of()
        : Arrays.stream(text.split(SEPARATOR)).map(FunctionName::new).collect(Collectors.toSet());
  }
}
