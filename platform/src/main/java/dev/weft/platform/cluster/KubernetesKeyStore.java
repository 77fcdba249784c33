package dev.weft.platform.cluster;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.Scope;
import dev.weft.platform.keys.Secret;
import dev.weft.platform.state.KeyStore;
import jakarta.enterprise.inject.Typed;
import jakarta.inject.Singleton;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Keys in a cluster: two that the installation was given as files, for its users and for its
/// gateways, and those that were made by the management API, by their hashes, in one Secret. That
/// Secret is there before: the controller may read and change it, and may make none.
@Singleton
@Typed(KubernetesKeyStore.class)
public final class KubernetesKeyStore implements KeyStore {
  static final String API_KEY = "key_api";
  static final String GATEWAY_KEY = "key_gateway";

  private final Cluster cluster;
  private final ObjectMapper json = Json.mapper();

  KubernetesKeyStore(Cluster cluster) {
    this.cluster = cluster;
  }

  /// A key as the Secret has it.
  record Kept(String hash, ApiKey key) {}

  @Override
  public Map<Secret.Hash, ApiKey> all() {
    Map<Secret.Hash, ApiKey> keys = new LinkedHashMap<>();
    given(
        cluster.config().apiKeyFile(), API_KEY, "default", Set.of(Scope.INVOKE, Scope.ADMIN), keys);
    given(cluster.config().gatewayKeyFile(), GATEWAY_KEY, "gateways", Set.of(Scope.GATEWAY), keys);
    kept().stream()
        .sorted(
            Comparator.comparing((Kept each) -> each.key().createdAt())
                .thenComparing(each -> each.key().id()))
        .forEach(
            each -> keys.put(new Secret.Hash(HexFormat.of().parseHex(each.hash())), each.key()));
    return keys;
  }

  private static void given(
      Optional<Path> file,
      String id,
      String name,
      Set<Scope> scopes,
      Map<Secret.Hash, ApiKey> keys) {
    file.ifPresent(path -> {
      String secret =
          WeftHome.read(path)
              .map(String::strip)
              .filter(text -> !text.isEmpty())
              .orElseThrow(() -> new IllegalStateException("there is no key in " + path));
      keys.put(Secret.hash(secret), new ApiKey(id, name, scopes, null, Instant.EPOCH));
    });
  }

  private List<Kept> kept() {
    Map<String, String> data = cluster.keys().getData();
    return data == null ? List.of() : data.values().stream().map(this::read).toList();
  }

  private Kept read(String data) {
    try {
      return json.readValue(Base64.getDecoder().decode(data), Kept.class);
    } catch (java.io.IOException e) {
      throw new IllegalStateException(
          "the Secret %s holds an unreadable key".formatted(cluster.named(Cluster.KEYS)), e);
    }
  }

  @Override
  public void insert(Secret.Hash hash, ApiKey key) {
    try {
      Kept kept = new Kept(HexFormat.of().formatHex(hash.bytes()), key);
      patch(key.id(), Base64.getEncoder().encodeToString(json.writeValueAsBytes(kept)));
    } catch (JsonProcessingException e) {
      throw new AssertionError("a key can be written", e);
    }
  }

  @Override
  public boolean delete(String id) {
    boolean known = kept().stream().anyMatch(each -> each.key().id().equals(id));
    if (known) {
      patch(id, null);
    }
    return known;
  }

  @Override
  public Set<String> given() {
    return Set.of(API_KEY, GATEWAY_KEY);
  }

  /// Sets one member of the Secret's data, or takes it away.
  private void patch(String member, @Nullable String data) {
    Map<String, Object> change = new HashMap<>();
    change.put(member, data);
    cluster.mergeKeys(Map.of("data", change));
  }
}
