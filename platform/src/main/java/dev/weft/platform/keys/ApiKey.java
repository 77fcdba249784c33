package dev.weft.platform.keys;

import dev.weft.functions.FunctionName;
import java.time.Instant;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A key without its secret.
///
/// @param functions the functions that it may invoke; `null` is all, also those of tomorrow
public record ApiKey(
    String id,
    String name,
    Set<Scope> scopes,
    @Nullable Set<FunctionName> functions,
    Instant createdAt) {
  public ApiKey {
    scopes = Set.copyOf(scopes);
    functions = functions == null ? null : Set.copyOf(functions);
    if (scopes.isEmpty()) {
      throw new IllegalArgumentException("a key needs at least one scope");
    }
  }

  public boolean mayAdminister() {
    return scopes.contains(Scope.ADMIN);
  }

  /// Whether a gateway may follow its controller with it.
  public boolean mayBeGateway() {
    return scopes.contains(Scope.GATEWAY);
  }

  /// Whether the key may call functions at all.
  public boolean mayInvoke() {
    return scopes.contains(Scope.INVOKE);
  }

  /// Whether the key may call `function`.
  public boolean mayInvoke(FunctionName function) {
    return mayInvoke() && (functions == null || functions.contains(function));
  }
}
