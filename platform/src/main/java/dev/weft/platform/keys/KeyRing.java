package dev.weft.platform.keys;

import jakarta.inject.Singleton;
import java.util.Map;
import java.util.Optional;

/// The latest snapshot of all keys, for the check on every request. **thread**: any.
///
/// It is current unless somebody says otherwise: a gateway that has lost its controller knows the
/// keys of a moment ago, and none that was made since.
@Singleton
public final class KeyRing {
  private static final String BEARER = "Bearer ";
  private volatile Map<Secret.Hash, ApiKey> keys = Map.of();
  private volatile boolean current = true;

  /// Makes `keys` the snapshot: a key that is missing in it is revoked from now on.
  public void publish(Map<Secret.Hash, ApiKey> fresh) {
    keys = Map.copyOf(fresh);
  }

  /// All keys; the same object until they change.
  public Map<Secret.Hash, ApiKey> snapshot() {
    return keys;
  }

  /// Whether a key that is not found does not exist.
  public boolean current() {
    return current;
  }

  public void current(boolean known) {
    current = known;
  }

  /// The key whose secret this is. What is looked up is the secret's hash, so the time taken says
  /// nothing about how much of a guess was right.
  public Optional<ApiKey> find(String secret) {
    return Optional.ofNullable(keys.get(Secret.hash(secret)));
  }

  /// The key of an `Authorization: Bearer ...` header.
  public Optional<ApiKey> findByAuthorization(String header) {
    return header.regionMatches(true, 0, BEARER, 0, BEARER.length())
        ? find(header.substring(BEARER.length()).strip())
        : Optional.empty();
  }
}
