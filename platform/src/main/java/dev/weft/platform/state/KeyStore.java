package dev.weft.platform.state;

import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.Secret;
import java.util.Map;
import java.util.Set;

/// The state of record of API keys, by the hash of their secret: the embedded database, or a Secret
/// of a Kubernetes cluster. **thread**: blocks.
public interface KeyStore {
  /// All keys, oldest first.
  Map<Secret.Hash, ApiKey> all();

  void insert(Secret.Hash hash, ApiKey key);

  /// Whether there was such a key to delete.
  boolean delete(String id);

  /// Keys, by their ids, that were given to the installation from outside: it neither makes nor
  /// deletes them, and makes no default key beside them.
  default Set<String> given() {
    return Set.of();
  }
}
