package dev.weft.platform.cluster;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.DeviceClass;
import dev.weft.functions.Json;
import dev.weft.functions.cluster.Condition;
import dev.weft.functions.cluster.DevicePoolSpec;
import dev.weft.functions.cluster.DevicePoolStatus;
import dev.weft.platform.cluster.Cluster.Kind;
import dev.weft.platform.cluster.model.PoolConditions;
import dev.weft.platform.cluster.model.RuntimeWorkload;
import dev.weft.platform.cluster.model.RuntimeWorkload.Installation;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.Fleet;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.Informable;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Keeps the workload of each `DevicePool` as the pool says. Pools and workloads are followed, so a
/// look asks the cluster for nothing; only a difference is written.
final class PoolOperator {
  private static final Logger LOG = LoggerFactory.getLogger(PoolOperator.class);

  private final Cluster cluster;
  private final Fleet fleet;
  private final ObjectEvents events;
  private final ValuesPools values;
  private final ObjectMapper json = Json.mapper();

  /// By the pool's uid: what its workload was made from, and the generation that it then had.
  private final Map<String, Applied> applied = new HashMap<>();

  private final List<SharedIndexInformer<?>> followed = new ArrayList<>();
  private final SharedIndexInformer<GenericKubernetesResource> pools;
  private final SharedIndexInformer<Deployment> deployments;
  private final SharedIndexInformer<DaemonSet> daemonSets;
  private @Nullable Thread thread;

  private record Applied(long poolGeneration, long workloadGeneration) {}

  PoolOperator(Cluster cluster, Fleet fleet) {
    this.cluster = cluster;
    this.fleet = fleet;
    this.events = new ObjectEvents(cluster);
    this.values = new ValuesPools(cluster);
    Map<String, String> runtimes = RuntimeWorkload.selector(cluster.config().name());
    var apps = cluster.client().apps();
    this.pools = followed(cluster.objects(Kind.POOL));
    this.deployments =
        followed(apps.deployments().inNamespace(cluster.namespace()).withLabels(runtimes));
    this.daemonSets =
        followed(apps.daemonSets().inNamespace(cluster.namespace()).withLabels(runtimes));
  }

  private <T> SharedIndexInformer<T> followed(Informable<T> objects) {
    SharedIndexInformer<T> informer = Cluster.informer(objects, "pools");
    followed.add(informer);
    return informer;
  }

  void start() {
    values.start();
    followed.forEach(SharedIndexInformer::start);
    thread = Thread.ofVirtual().name("pool-operator").start(this::run);
  }

  void stop() {
    values.stop();
    followed.forEach(SharedIndexInformer::stop);
    Thread running = thread;
    if (running != null) {
      running.interrupt();
    }
  }

  private void run() {
    try {
      while (true) {
        attempt();
        Thread.sleep(cluster.config().statusPeriod());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void attempt() {
    try {
      // What is not known yet is not taken to be missing.
      if (followed.stream().allMatch(SharedIndexInformer::hasSynced)) {
        look(pools.getStore().list());
      }
    } catch (RuntimeException e) {
      // The outermost loop: one bad round must not end the operator.
      LOG.atWarn().setCause(e).log("pools could not be looked at; trying again");
    }
  }

  /// One look at all pools.
  private void look(List<GenericKubernetesResource> pools) {
    // The cluster takes their workloads away, which must not be made again meanwhile.
    Set<String> deleted = values.look(pools);
    applied
        .keySet()
        .retainAll(
            pools.stream().map(each -> each.getMetadata().getUid()).collect(Collectors.toSet()));
    pools.stream()
        .filter(pool -> pool.getMetadata().getDeletionTimestamp() == null)
        .filter(pool -> !deleted.contains(pool.getMetadata().getName()))
        .forEach(this::look);
  }

  private void look(GenericKubernetesResource pool) {
    String name = pool.getMetadata().getName();
    Optional<String> problem = Optional.empty();
    HasMetadata workload = null;
    try {
      DevicePoolSpec spec = read(pool, "spec", DevicePoolSpec.class);
      if (spec == null) {
        throw new IllegalArgumentException("it has no spec");
      }
      workload = workload(pool, spec);
    } catch (KubernetesClientException | IllegalArgumentException e) {
      LOG.atWarn().addKeyValue("pool", name).setCause(e).log("its workload could not be applied");
      problem = Optional.of(String.valueOf(e.getMessage()));
    }
    report(pool, problem, workload);
  }

  /// The pool's workload as it is, after it was made as it is to be.
  private HasMetadata workload(GenericKubernetesResource pool, DevicePoolSpec spec) {
    Installation installation = installation(spec.device());
    String name = pool.getMetadata().getName();
    HasMetadata found = find(spec, RuntimeWorkload.name(installation, name));
    Applied last = applied.get(pool.getMetadata().getUid());
    long generation = pool.getMetadata().getGeneration();
    if (found != null
        && last != null
        && last.equals(new Applied(generation, found.getMetadata().getGeneration()))) {
      return found;
    }
    HasMetadata wanted =
        RuntimeWorkload.of(
            installation,
            name,
            spec,
            Cluster.madeFor(cluster.pool(name), pool.getMetadata().getUid()));
    PatchContext context = PatchContext.of(PatchType.SERVER_SIDE_APPLY);
    context.setFieldManager(Cluster.OPERATOR);
    context.setForce(true);
    HasMetadata made = cluster.client().resource(wanted).patch(context);
    applied.put(
        pool.getMetadata().getUid(), new Applied(generation, made.getMetadata().getGeneration()));
    LOG.atInfo().addKeyValue("pool", name).log("its workload was applied");
    return made;
  }

  private @Nullable HasMetadata find(DevicePoolSpec spec, String name) {
    String key = cluster.namespace() + "/" + name;
    return spec.byNumber()
        ? deployments.getStore().getByKey(key)
        : daemonSets.getStore().getByKey(key);
  }

  private Installation installation(DeviceClass device) {
    WeftConfig.Cluster.Pods pods = cluster.config().pods();
    return new Installation(
        cluster.config().name(),
        cluster.namespace(),
        device == DeviceClass.GPU ? pods.gpuImage() : pods.cpuImage(),
        pods.pullPolicy(),
        pods.pullSecrets().orElse(List.of()),
        pods.secret().orElseGet(() -> cluster.named("runtime")),
        pods.serviceAccount(),
        pods.fsGroup());
  }

  private void report(
      GenericKubernetesResource pool, Optional<String> problem, @Nullable HasMetadata workload) {
    String name = pool.getMetadata().getName();
    DevicePoolStatus before = status(pool);
    Installation installation = installation(DeviceClass.CPU);
    DevicePoolStatus status =
        PoolConditions.status(
            new PoolConditions.Facts(
                pool.getMetadata().getGeneration(),
                problem,
                wanted(workload),
                ready(RuntimeWorkload.name(installation, name) + "-"),
                before == null ? List.of() : before.conditions()),
            selector(RuntimeWorkload.selector(installation, name)),
            Instant.now());
    if (status.equals(before)) {
      return;
    }
    cluster.applyStatus(cluster.pool(name), pool.getMetadata().getUid(), status);
    Condition now = status.conditions().getFirst();
    boolean same =
        before != null
            && !before.conditions().isEmpty()
            && before.conditions().getFirst().reason().equals(now.reason());
    if (!same) {
      events.say(
          cluster.pool(name),
          pool.getMetadata().getUid(),
          problem.isPresent(),
          now.reason(),
          now.message());
    }
  }

  private static int wanted(@Nullable HasMetadata workload) {
    return switch (workload) {
      case Deployment deployment -> deployment.getSpec().getReplicas();
      case DaemonSet set
          when set.getStatus() != null && set.getStatus().getDesiredNumberScheduled() != null ->
          set.getStatus().getDesiredNumberScheduled();
      case null, default -> 0;
    };
  }

  private int ready(String prefix) {
    return (int)
        fleet.snapshot().devices().values().stream()
            .filter(Fleet.Device::serving)
            .filter(device -> device.id().value().startsWith(prefix))
            .count();
  }

  private static String selector(Map<String, String> labels) {
    return labels.entrySet().stream()
        .map(label -> label.getKey() + "=" + label.getValue())
        .collect(Collectors.joining(","));
  }

  /// A status that cannot be read is written anew.
  private @Nullable DevicePoolStatus status(GenericKubernetesResource pool) {
    try {
      return read(pool, "status", DevicePoolStatus.class);
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private <T> @Nullable T read(GenericKubernetesResource object, String member, Class<T> type) {
    Object tree = object.getAdditionalProperties().get(member);
    try {
      return tree == null ? null : json.treeToValue(json.valueToTree(tree), type);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(member + ": " + e.getOriginalMessage(), e);
    }
  }
}
