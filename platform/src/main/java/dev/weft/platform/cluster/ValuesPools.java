package dev.weft.platform.cluster;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The pools that the installation's values name. They come in a ConfigMap and are made into
/// `DevicePool`s here: a chart that defines a kind cannot have objects of it, since helm asks the
/// cluster about every kind before it makes the first object.
///
/// A pool is written when what the values say of it has changed, so whoever scales it by kubectl is
/// not overruled before that. **thread**: one.
final class ValuesPools {
  private static final Logger LOG = LoggerFactory.getLogger(ValuesPools.class);

  /// Who writes what the values say.
  private static final String MANAGER = "weft-values";

  /// What the values said when the pool was last written.
  private static final String SAID = "weft.dev/values";

  private static final String CONFIG_MAP = "pools";

  private final Cluster cluster;
  private final ObjectMapper json = Json.mapper();
  private final Map<String, String> refusals = new HashMap<>();
  private @Nullable SharedIndexInformer<ConfigMap> informer;

  ValuesPools(Cluster cluster) {
    this.cluster = cluster;
  }

  void start() {
    SharedIndexInformer<ConfigMap> made =
        Cluster.informer(
            cluster
                .client()
                .configMaps()
                .inNamespace(cluster.namespace())
                .withField("metadata.name", cluster.named(CONFIG_MAP)),
            "the values' pools");
    informer = made;
    made.start();
  }

  void stop() {
    SharedIndexInformer<ConfigMap> running = informer;
    if (running != null) {
      running.stop();
    }
  }

  /// Writes what the values say and `pools` do not, and deletes those that they name no longer,
  /// whose names are returned. While there are no values, as before the first are read and when the
  /// installation goes, nothing is done.
  Set<String> look(List<GenericKubernetesResource> pools) {
    SharedIndexInformer<ConfigMap> known = informer;
    List<ConfigMap> found = known == null ? List.of() : known.getStore().list();
    if (found.isEmpty() || found.getFirst().getMetadata().getDeletionTimestamp() != null) {
      return Set.of();
    }
    Map<String, String> values =
        Objects.requireNonNullElse(found.getFirst().getData(), Map.<String, String>of());
    Map<String, GenericKubernetesResource> byName =
        pools.stream()
            .collect(Collectors.toMap(pool -> pool.getMetadata().getName(), Function.identity()));
    values.forEach((name, said) -> say(name, said, byName.get(name)));
    Set<String> deleted = new HashSet<>();
    byName.forEach((name, pool) -> {
      if (said(pool) != null
          && !values.containsKey(name)
          && pool.getMetadata().getDeletionTimestamp() == null) {
        cluster.object(cluster.pool(name)).delete();
        deleted.add(name);
        LOG.atInfo().addKeyValue("pool", name).log("the values name it no longer; deleted");
      }
    });
    return deleted;
  }

  private static @Nullable String said(GenericKubernetesResource pool) {
    Map<String, String> annotations = pool.getMetadata().getAnnotations();
    return annotations == null ? null : annotations.get(SAID);
  }

  private void say(String name, String said, @Nullable GenericKubernetesResource pool) {
    if (pool != null
        && (said.equals(said(pool)) || pool.getMetadata().getDeletionTimestamp() != null)) {
      return;
    }
    try {
      JsonNode spec = json.readTree(said);
      cluster.apply(
          cluster.pool(name),
          null,
          Map.of(
              "metadata",
              Map.of(
                  "labels", Map.of(Cluster.MANAGED_BY, "weft"),
                  "annotations", Map.of(SAID, said),
                  "ownerReferences", List.of(cluster.installation())),
              "spec",
              spec),
          MANAGER);
      refusals.remove(name);
      LOG.atInfo().addKeyValue("pool", name).log("made as the values say");
    } catch (KubernetesClientException | JsonProcessingException e) {
      String reason = String.valueOf(e.getMessage());
      if (!reason.equals(refusals.put(name, reason))) {
        LOG.atWarn().addKeyValue("pool", name).setCause(e).log("it cannot be as the values say");
      }
    }
  }
}
