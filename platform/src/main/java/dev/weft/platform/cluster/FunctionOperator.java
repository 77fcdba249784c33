package dev.weft.platform.cluster;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.cluster.Condition;
import dev.weft.functions.cluster.FunctionStatus;
import dev.weft.platform.cluster.Cluster.Kind;
import dev.weft.platform.cluster.KubernetesFunctionStore.Seen;
import dev.weft.platform.cluster.model.FunctionConditions;
import dev.weft.platform.cluster.model.FunctionConditions.Problem;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.LoadTracker;
import dev.weft.platform.management.FunctionService;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Follows `Function` objects: what changes is reconciled, and what the fleet says of them is
/// written to their status, of some at a time and never of one object twice at a time. What fails
/// is done again with the next look.
final class FunctionOperator implements ResourceEventHandler<GenericKubernetesResource> {
  private static final Logger LOG = LoggerFactory.getLogger(FunctionOperator.class);
  private static final int BATCH = 100;

  /// How many objects are written at a time.
  private static final int WRITERS = 8;

  private final Cluster cluster;
  private final KubernetesFunctionStore store;
  private final FunctionService functions;
  private final Fleet fleet;
  private final LoadTracker loads;
  private final ObjectEvents events;
  private final BlockingQueue<FunctionName> changed = new LinkedBlockingQueue<>();
  private final Set<FunctionName> again = ConcurrentHashMap.newKeySet();
  private final Map<FunctionName, FunctionStatus> written = new ConcurrentHashMap<>();
  private @Nullable SharedIndexInformer<GenericKubernetesResource> informer;
  private @Nullable SharedIndexInformer<GenericKubernetesResource> revisions;
  private @Nullable SharedIndexInformer<GenericKubernetesResource> pools;
  private @Nullable Thread thread;
  private volatile boolean stopped;

  FunctionOperator(
      Cluster cluster,
      KubernetesFunctionStore store,
      FunctionService functions,
      Fleet fleet,
      LoadTracker loads) {
    this.cluster = cluster;
    this.store = store;
    this.functions = functions;
    this.fleet = fleet;
    this.loads = loads;
    this.events = new ObjectEvents(cluster);
  }

  void start() {
    informer = Cluster.informer(cluster.allObjects(Kind.FUNCTION), "functions");
    revisions = Cluster.informer(cluster.allObjects(Kind.REVISION), "revisions");
    // One that was refused when the store was opened may be gone since, which nobody tells.
    store.seen().stream()
        .filter(seen -> seen.problem().isPresent())
        .forEach(seen -> changed.add(seen.object().name()));
    follow(informer, this);
    follow(revisions, new LostRevisions());
    if (cluster.everywhere()) {
      pools = Cluster.informer(cluster.allObjects(Kind.POOL), "pools of other installations");
      follow(pools, new OtherInstallations(informer, pools));
    }
    thread = Thread.ofVirtual().name("function-operator").start(this::run);
  }

  private static void follow(
      SharedIndexInformer<GenericKubernetesResource> informer,
      ResourceEventHandler<GenericKubernetesResource> handler) {
    informer.addEventHandler(handler);
    informer.start();
  }

  void stop() {
    stopped = true;
    for (var running : new SharedIndexInformer<?>[] {informer, revisions, pools}) {
      if (running != null) {
        running.stop();
      }
    }
    Thread running = thread;
    if (running != null) {
      running.interrupt();
    }
  }

  @Override
  public void onAdd(GenericKubernetesResource object) {
    // Those that were there when the store was opened have been looked at.
    if (!store.knows(FunctionObject.of(object, cluster.namespaces()))) {
      changed.add(nameOf(object));
    }
  }

  /// What this operator writes, a status and a finalizer, is no reason to look again.
  @Override
  public void onUpdate(GenericKubernetesResource before, GenericKubernetesResource after) {
    boolean news =
        !Objects.equals(before.getMetadata().getGeneration(), after.getMetadata().getGeneration())
            || !Objects.equals(before.getMetadata().getLabels(), after.getMetadata().getLabels())
            || !Objects.equals(
                before.getMetadata().getDeletionTimestamp(),
                after.getMetadata().getDeletionTimestamp())
            || !Objects.equals(before.getMetadata().getUid(), after.getMetadata().getUid());
    if (news) {
      changed.add(nameOf(after));
    }
  }

  @Override
  public void onDelete(GenericKubernetesResource object, boolean unknown) {
    changed.add(nameOf(object));
  }

  private FunctionName nameOf(GenericKubernetesResource object) {
    return nameOf(object, object.getMetadata().getName());
  }

  private FunctionName nameOf(GenericKubernetesResource object, String function) {
    return cluster.namespaces().functionName(object.getMetadata().getNamespace(), function);
  }

  /// A revision that somebody deleted may have been the one that answers.
  private final class LostRevisions implements ResourceEventHandler<GenericKubernetesResource> {
    @Override
    public void onAdd(GenericKubernetesResource object) {}

    @Override
    public void onUpdate(GenericKubernetesResource before, GenericKubernetesResource after) {}

    @Override
    public void onDelete(GenericKubernetesResource object, boolean unknown) {
      Map<String, String> labels = object.getMetadata().getLabels();
      if (labels != null && labels.containsKey(Cluster.FUNCTION_LABEL)) {
        FunctionName name = nameOf(object, labels.get(Cluster.FUNCTION_LABEL));
        store.lost(name);
        changed.add(name);
      }
    }
  }

  /// A namespace's functions change hands when it gets its first pool and when it loses its last.
  private final class OtherInstallations
      implements ResourceEventHandler<GenericKubernetesResource> {
    private final SharedIndexInformer<GenericKubernetesResource> ofFunctions;
    private final SharedIndexInformer<GenericKubernetesResource> ofPools;

    OtherInstallations(
        SharedIndexInformer<GenericKubernetesResource> ofFunctions,
        SharedIndexInformer<GenericKubernetesResource> ofPools) {
      this.ofFunctions = ofFunctions;
      this.ofPools = ofPools;
    }

    @Override
    public void onAdd(GenericKubernetesResource pool) {
      look(pool.getMetadata().getNamespace());
    }

    @Override
    public void onUpdate(GenericKubernetesResource before, GenericKubernetesResource after) {}

    @Override
    public void onDelete(GenericKubernetesResource pool, boolean unknown) {
      look(pool.getMetadata().getNamespace());
    }

    private void look(String namespace) {
      store.others(ofPools.getStore().list());
      ofFunctions.getStore().list().stream()
          .filter(function -> function.getMetadata().getNamespace().equals(namespace))
          .forEach(function -> changed.add(nameOf(function)));
    }
  }

  private void run() {
    while (!stopped) {
      try {
        FunctionName first =
            changed.poll(cluster.config().statusPeriod().toMillis(), TimeUnit.MILLISECONDS);
        Set<FunctionName> names = new LinkedHashSet<>(again);
        again.clear();
        if (first != null) {
          names.add(first);
          List<FunctionName> more = new ArrayList<>();
          changed.drainTo(more, BATCH);
          names.addAll(more);
        }
        if (!names.isEmpty()) {
          functions.changed(() -> writeEach(names.stream().map(name -> () -> reconcile(name))));
        }
        writeEach(store.seen().stream().map(this::report).flatMap(Optional::stream));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      } catch (RuntimeException e) {
        // The outermost loop: one bad round must not end the operator.
        LOG.atError().setCause(e).log("a round of the operator failed");
      }
    }
  }

  private static void writeEach(Stream<Runnable> writes) {
    try (ExecutorService writers =
        Executors.newFixedThreadPool(WRITERS, Thread.ofVirtual().factory())) {
      writes.forEach(write -> writers.execute(() -> contain(write)));
    }
  }

  /// One bad object must not stand in others' way.
  private static void contain(Runnable write) {
    try {
      write.run();
    } catch (RuntimeException e) {
      LOG.atError().setCause(e).log("an object could not be looked at");
    }
  }

  private void reconcile(FunctionName name) {
    try {
      GenericKubernetesResource object = cluster.object(cluster.function(name)).get();
      Optional<DeployedFunction> before = store.seen(name).map(Seen::deployed);
      store.reconcile(
          name, object == null ? null : FunctionObject.of(object, cluster.namespaces()));
      Optional<Seen> after = store.seen(name);
      if (after.isEmpty()) {
        written.remove(name);
      }
      after.ifPresent(seen -> tellOfRevision(seen, before));
    } catch (KubernetesClientException e) {
      LOG.atWarn().addKeyValue("function", name).setCause(e).log("could not be reconciled yet");
      again.add(name);
    }
  }

  private void tellOfRevision(Seen seen, Optional<DeployedFunction> before) {
    DeployedFunction deployed = seen.deployed();
    if (deployed == null) {
      return;
    }
    String newest = deployed.revisions().getLast().id().local();
    boolean told =
        before
            .map(earlier -> earlier.revisions().getLast().id().local().equals(newest))
            .orElseGet(() -> {
              FunctionStatus status = seen.object().status();
              return status != null && newest.equals(status.latestRevision());
            });
    if (!told) {
      say(seen, false, "RevisionCreated", "made " + newest);
    }
  }

  /// What is to be written of a function: a status that says something new, or that it may go.
  private Optional<Runnable> report(Seen seen) {
    FunctionName name = seen.object().name();
    if (seen.object().deleting()) {
      return seen.object().finalized() && unloaded(name)
          ? Optional.of(() -> attempt(name, () -> store.release(seen.object())))
          : Optional.empty();
    }
    FunctionStatus before = written.getOrDefault(name, seen.object().status());
    FunctionStatus status =
        FunctionConditions.status(facts(seen, before), selector(name), Instant.now());
    return status.equals(before)
        ? Optional.empty()
        : Optional.of(() -> attempt(name, () -> write(seen, before, status)));
  }

  private static void attempt(FunctionName name, Runnable write) {
    try {
      write.run();
    } catch (KubernetesClientException e) {
      LOG.atDebug().addKeyValue("function", name).setCause(e).log("its status was not taken yet");
    }
  }

  private void write(Seen seen, @Nullable FunctionStatus before, FunctionStatus status) {
    FunctionName name = seen.object().name();
    cluster.applyStatus(cluster.function(name), seen.object().uid(), status);
    written.put(name, status);
    tellOfReady(seen, before, status);
  }

  private void tellOfReady(Seen seen, @Nullable FunctionStatus before, FunctionStatus after) {
    Condition now = after.conditions().getFirst();
    boolean same =
        before != null
            && !before.conditions().isEmpty()
            && before.conditions().getFirst().reason().equals(now.reason());
    if (!same) {
      say(seen, now.status().equals(Condition.FALSE), now.reason(), now.message());
    }
  }

  private void say(Seen seen, boolean warning, String reason, String message) {
    events.say(
        cluster.function(seen.object().name()), seen.object().uid(), warning, reason, message);
  }

  private FunctionConditions.Facts facts(Seen seen, @Nullable FunctionStatus before) {
    DeployedFunction deployed = seen.deployed();
    return new FunctionConditions.Facts(
        seen.object().generation(),
        deployed,
        seen.problem().or(() -> baseProblem(deployed)),
        deployed == null ? List.of() : fleet.instancesOf(deployed.active().id()),
        deployed == null
            ? Optional.empty()
            : loads.failure(deployed.active().id()).map(LoadTracker.Failed::failure),
        deployed != null && someDevice(deployed.spec()),
        cluster.config().url().map(Object::toString),
        before);
  }

  private Optional<Problem> baseProblem(@Nullable DeployedFunction deployed) {
    FunctionName base = deployed == null ? null : deployed.spec().adapterOf();
    if (base == null) {
      return Optional.empty();
    }
    DeployedFunction found = store.seen(base).map(Seen::deployed).orElse(null);
    if (found == null) {
      return Optional.of(
          new Problem(
              "BaseNotFound", "spec.adapterOf: there is no function '%s'".formatted(base.local())));
    }
    return found.spec().adapterOf() == null
        ? Optional.empty()
        : Optional.of(
            new Problem(
                "BaseIsAdapter",
                "spec.adapterOf: '%s' is an adapter itself".formatted(base.local())));
  }

  private boolean someDevice(FunctionSpec spec) {
    return fleet.snapshot().devices().values().stream()
        .filter(Fleet.Device::serving)
        .map(Fleet.Device::status)
        .filter(Objects::nonNull)
        .anyMatch(status -> spec.devices().contains(status.deviceClass()));
  }

  /// Also what is away for a moment may still hold it.
  private boolean unloaded(FunctionName name) {
    return fleet.snapshot().devices().values().stream()
        .map(Fleet.Device::status)
        .filter(Objects::nonNull)
        .flatMap(status -> status.instances().stream())
        .filter(instance -> instance.revision().function().equals(name))
        .noneMatch(FunctionConditions::held);
  }

  private static String selector(FunctionName name) {
    return Cluster.FUNCTION_LABEL + "=" + name.local();
  }
}
