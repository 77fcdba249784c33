package dev.weft.platform.keys;

import jakarta.inject.Singleton;
import java.util.Map;
import java.util.Optional;

/// The latest snapshot of all keys, for the check on every request. **thread**: any.
@Singleton
public final class KeyRing {
  private static final String BEARER = "Bearer ";
  private volatile Map<Secret.Hash, ApiKey> keys = Map.of();

  /// Makes `keys` the snapshot: a key that is missing in it is revoked from now on.
  public void publish(Map<Secret.Hash, ApiKey> fresh) {
    keys = Map.copyOf(fresh);
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
