package dev.weft.platform.management;

import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.KeyRing;
import dev.weft.platform.keys.Scope;
import dev.weft.platform.keys.Secret;
import dev.weft.platform.management.ManagementApi.CreatedKey;
import dev.weft.platform.management.ManagementApi.KeyRequest;
import dev.weft.platform.state.KeyStore;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes and revokes keys. **thread**: blocks.
@Singleton
public final class KeyService {
  /// The name of the key made at the first start, whose secret is in `keys/default`.
  public static final String DEFAULT_NAME = "default";

  private static final Logger LOG = LoggerFactory.getLogger(KeyService.class);
  private static final int MAX_NAME_LENGTH = 100;
  private static final int MAX_KEYS = 10_000;
  private static final SecureRandom RANDOM = new SecureRandom();

  private final KeyStore store;
  private final KeyRing ring;
  private final WeftHome home;
  private final ReentrantLock changes = new ReentrantLock();

  public KeyService(KeyStore store, KeyRing ring, WeftConfig config) {
    this.store = store;
    this.ring = ring;
    this.home = new WeftHome(config.home());
  }

  /// Fills the key ring from the state of record and sees to the default key: it is made at the
  /// first start, and made anew when its file is gone. One that was revoked stays revoked.
  public void open() {
    Map<Secret.Hash, ApiKey> keys = store.all();
    List<ApiKey> defaults =
        keys.values().stream().filter(key -> key.name().equals(DEFAULT_NAME)).toList();
    if (!store.given().isEmpty()) {
      ring.publish(keys);
      return;
    }
    boolean fileFits =
        WeftHome.read(home.defaultKeyFile())
            .map(secret -> keys.get(Secret.hash(secret.strip())))
            .filter(defaults::contains)
            .isPresent();
    if (!fileFits && (keys.isEmpty() || !defaults.isEmpty())) {
      defaults.forEach(key -> store.delete(key.id()));
      CreatedKey made = insert(DEFAULT_NAME, EnumSet.allOf(Scope.class), null);
      WeftHome.writePrivately(home.defaultKeyFile(), made.secret());
      LOG.atInfo().addKeyValue("file", home.defaultKeyFile()).log("made the default API key");
    }
    ring.publish(store.all());
  }

  /// Takes keys that were changed elsewhere.
  public void refresh() {
    ring.publish(store.all());
  }

  public List<ApiKey> list() {
    return List.copyOf(store.all().values());
  }

  public CreatedKey create(KeyRequest request) {
    String name = request.name();
    if (name == null || name.isBlank() || name.length() > MAX_NAME_LENGTH) {
      throw ManagementException.invalid(
          "name", "a key needs a name of 1 to %d characters".formatted(MAX_NAME_LENGTH));
    }
    if (name.equals(DEFAULT_NAME)) {
      throw ManagementException.invalid("name", "'default' is the key that Weft made itself");
    }
    Set<Scope> asked = request.scopes();
    Set<Scope> scopes = asked == null ? Set.of(Scope.INVOKE) : asked;
    if (scopes.isEmpty()) {
      throw ManagementException.invalid("scopes", "a key needs at least one of invoke, admin");
    }
    changes.lock();
    try {
      if (store.all().size() >= MAX_KEYS) {
        throw new ManagementException(
            409, "too_many_keys", null, "there are %d keys already".formatted(MAX_KEYS));
      }
      CreatedKey made = insert(name, scopes, request.functions());
      ring.publish(store.all());
      LOG.atInfo().addKeyValue("key", made.key().id()).log("made an API key");
      return made;
    } finally {
      changes.unlock();
    }
  }

  /// Revokes a key, but not the last one that may administer.
  public void revoke(String id) {
    changes.lock();
    try {
      Map<Secret.Hash, ApiKey> keys = store.all();
      ApiKey key =
          keys.values().stream()
              .filter(candidate -> candidate.id().equals(id))
              .findFirst()
              .orElseThrow(() -> ManagementException.notFound("key", id));
      if (store.given().contains(id)) {
        throw new ManagementException(
            409,
            "given_key",
            null,
            "this key was given to the installation: change it where it comes from");
      }
      boolean another =
          keys.values().stream().anyMatch(other -> other.mayAdminister() && !other.id().equals(id));
      if (key.mayAdminister() && !another) {
        throw new ManagementException(
            409, "last_admin_key", null, "this is the last key with the scope admin");
      }
      store.delete(id);
      ring.publish(store.all());
      if (key.name().equals(DEFAULT_NAME)) {
        Files.deleteIfExists(home.defaultKeyFile());
      }
      LOG.atInfo().addKeyValue("key", id).log("revoked an API key");
    } catch (IOException e) {
      throw new UncheckedIOException("the default key's file cannot be deleted", e);
    } finally {
      changes.unlock();
    }
  }

  private CreatedKey insert(
      String name,
      Set<Scope> scopes,
      @org.jspecify.annotations.Nullable Set<dev.weft.functions.FunctionName> functions) {
    byte[] id = new byte[8];
    RANDOM.nextBytes(id);
    String secret = Secret.generate();
    ApiKey key =
        new ApiKey("key_" + HexFormat.of().formatHex(id), name, scopes, functions, Instant.now());
    store.insert(Secret.hash(secret), key);
    return new CreatedKey(Objects.requireNonNull(key), secret);
  }
}
