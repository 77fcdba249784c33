package dev.weft.platform.cluster;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.InvalidManifestException;
import dev.weft.functions.Json;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.cluster.FunctionStatus;
import dev.weft.platform.cluster.Cluster.Kind;
import dev.weft.platform.cluster.Cluster.ObjectRef;
import dev.weft.platform.cluster.model.FunctionConditions.Problem;
import dev.weft.platform.cluster.model.Namespaces;
import dev.weft.platform.cluster.model.RevisionPlan;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.state.FunctionStore;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceList;
import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import jakarta.enterprise.inject.Typed;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Functions as objects of a cluster: a `Function` is what somebody wants, and each of its
/// `FunctionRevision`s what it once was. Whoever changed it, by kubectl or by the management API,
/// [#reconcile] makes of it what is deployed. **thread**: one at a time writes a function, any may
/// read.
@Singleton
@Typed(KubernetesFunctionStore.class)
public final class KubernetesFunctionStore implements FunctionStore {
  private static final Logger LOG = LoggerFactory.getLogger(KubernetesFunctionStore.class);

  private final Cluster cluster;
  private final ObjectMapper json = Json.mapper();
  private final Map<FunctionName, Seen> seen = new ConcurrentSkipListMap<>();

  /// Functions of which somebody has deleted a revision, perhaps.
  private final Set<FunctionName> lost = ConcurrentHashMap.newKeySet();

  /// Namespaces whose functions are another installation's.
  private volatile Set<String> others = Set.of();

  KubernetesFunctionStore(Cluster cluster) {
    this.cluster = cluster;
  }

  /// A function as it was last looked at.
  ///
  /// @param deployed `null` while it has no revision, or is deleted
  /// @param problem why it is not deployed as it says
  record Seen(
      FunctionObject object, @Nullable DeployedFunction deployed, Optional<Problem> problem) {}

  /// Every function that there is, also one that is being deleted, in the order of names.
  List<Seen> seen() {
    return List.copyOf(seen.values());
  }

  Optional<Seen> seen(FunctionName name) {
    return Optional.ofNullable(seen.get(name));
  }

  /// Whether an object is deployed as it is.
  boolean knows(FunctionObject object) {
    Seen known = seen.get(object.name());
    return known != null
        && known.deployed() != null
        && known.problem().isEmpty()
        && known.object().uid().equals(object.uid())
        && known.object().generation() == object.generation()
        && known.object().labels().equals(object.labels())
        && !object.deleting();
  }

  @Override
  public void open() {
    seen.clear();
    others(cluster.allObjects(Kind.POOL).list().getItems());
    Namespaces namespaces = cluster.namespaces();
    Map<FunctionName, List<Revision>> revisions =
        readable(cluster.allObjects(Kind.REVISION).list())
            .collect(Collectors.groupingBy(revision -> revision.id().function()));
    for (GenericKubernetesResource each : cluster.allObjects(Kind.FUNCTION).list().getItems()) {
      FunctionObject object = FunctionObject.of(each, namespaces);
      if (serves(object.name())) {
        open(object, revisions.getOrDefault(object.name(), List.of()));
      }
    }
  }

  /// What the cluster refuses for one function, as where its namespace is being deleted, is in
  /// nobody else's way: what was deployed of it stays, and the operator tries again.
  private void open(FunctionObject object, List<Revision> revisions) {
    try {
      reconcile(object, revisions, Instant.now());
    } catch (KubernetesClientException e) {
      if (e.getCode() < 400 || e.getCode() >= 500) {
        throw e;
      }
      LOG.atWarn().addKeyValue("function", object.name()).setCause(e).log("stays as it is");
      seen.put(
          object.name(),
          new Seen(
              object,
              unchanged(object, existing(object, sorted(revisions))),
              Optional.of(new Problem("Refused", String.valueOf(e.getMessage())))));
    }
  }

  /// Takes what pools there are: a namespace with pools of its own has an installation of its own.
  void others(List<GenericKubernetesResource> pools) {
    others =
        pools.stream()
            .map(pool -> pool.getMetadata().getNamespace())
            .filter(namespace -> !namespace.equals(cluster.namespace()))
            .collect(Collectors.toUnmodifiableSet());
  }

  private boolean serves(FunctionName name) {
    return !others.contains(cluster.namespaces().of(name));
  }

  @Override
  public List<DeployedFunction> all() {
    return seen.values().stream().map(Seen::deployed).filter(Objects::nonNull).toList();
  }

  /// Takes an object that has changed; `null` is one that is gone.
  void reconcile(FunctionName name, @Nullable FunctionObject object) {
    if (object == null || !serves(name)) {
      seen.remove(name);
    } else {
      reconcile(object, revisions(object), Instant.now());
    }
  }

  /// Notes that a revision is gone: what is known of the function's is looked up again.
  void lost(FunctionName name) {
    lost.add(name);
  }

  private Seen reconcile(FunctionObject object, List<Revision> revisions, Instant now) {
    Seen result =
        object.deleting()
            ? new Seen(object, null, Optional.empty())
            : deployed(object, sorted(revisions), now);
    seen.put(object.name(), result);
    return result;
  }

  private Seen deployed(FunctionObject object, List<Revision> revisions, Instant now) {
    if (!object.finalized()) {
      finalizer(object, true);
    }
    RevisionPlan.Existing existing = existing(object, revisions);
    try {
      Function declared = object.declared();
      RevisionPlan plan =
          RevisionPlan.decide(
              object.name(),
              FunctionObject.global(object.name(), declared.spec()),
              object.traffic(),
              existing,
              now);
      plan.created().ifPresent(revision -> create(object, revision));
      plan.pruned().forEach(this::delete);
      return new Seen(
          object,
          new DeployedFunction(
              object.name(),
              declared.metadata().labels(),
              plan.active(),
              plan.revisions(),
              object.createdAt(),
              plan.revisions().getLast().createdAt(),
              plan.traffic()),
          plan.problem().map(text -> new Problem("TrafficRefused", text)));
    } catch (InvalidManifestException e) {
      return new Seen(
          object,
          unchanged(object, existing),
          Optional.of(new Problem("InvalidSpec", e.describe())));
    }
  }

  /// A spec that cannot be run leaves what was deployed before it.
  private static @Nullable DeployedFunction unchanged(
      FunctionObject object, RevisionPlan.Existing existing) {
    if (existing.revisions().isEmpty()) {
      return null;
    }
    int newest = existing.revisions().getLast().id().number();
    return new DeployedFunction(
        object.name(),
        Map.of(),
        existing.active().orElse(newest),
        existing.revisions(),
        object.createdAt(),
        existing.revisions().getLast().createdAt());
  }

  private static RevisionPlan.Existing existing(FunctionObject object, List<Revision> revisions) {
    FunctionStatus status = object.status();
    Integer last = status == null ? null : status.lastNumber();
    String active = status == null ? null : status.activeRevision();
    OptionalInt number =
        revisions.stream()
            .map(Revision::id)
            .filter(id -> id.local().equals(active))
            .mapToInt(RevisionId::number)
            .findFirst();
    return new RevisionPlan.Existing(revisions, last == null ? 0 : last, number);
  }

  @Override
  public Deployment deploy(Function declared, Instant now) {
    Seen before = seen.get(declared.name());
    DeployedFunction earlier = before == null ? null : before.deployed();
    boolean sameSpec = earlier != null && earlier.spec().equals(declared.spec());
    if (earlier != null && sameSpec && earlier.labels().equals(declared.metadata().labels())) {
      return new Deployment(earlier, Change.UNCHANGED);
    }
    ObjectNode spec = FunctionObject.tree(declared.spec());
    // What is deployed gets the calls, whatever was rolled back before.
    spec.putArray("traffic");
    GenericKubernetesResource applied =
        cluster.apply(
            cluster.function(declared.name()),
            null,
            Map.of("metadata", Map.of("labels", declared.metadata().labels()), "spec", spec),
            Cluster.API);
    Change change =
        earlier == null ? Change.CREATED : sameSpec ? Change.LABELS_ONLY : Change.NEW_REVISION;
    return new Deployment(taken(applied, now), change);
  }

  @Override
  public Optional<DeployedFunction> activate(FunctionName name, int number, Instant now) {
    Seen before = seen.get(name);
    DeployedFunction earlier = before == null ? null : before.deployed();
    if (earlier == null || earlier.revision(number).isEmpty()) {
      return Optional.empty();
    }
    ObjectNode patch = json.createObjectNode();
    ArrayNode traffic = patch.putObject("spec").putArray("traffic");
    if (number != earlier.revisions().getLast().id().number()) {
      traffic.addObject().put("revision", number).put("percent", 100);
    }
    PatchContext context = PatchContext.of(PatchType.JSON_MERGE);
    context.setFieldManager(Cluster.API);
    GenericKubernetesResource patched =
        Objects.requireNonNull(
            cluster.object(cluster.function(name)).patch(context, patch.toString()));
    return Optional.of(taken(patched, now));
  }

  private DeployedFunction taken(GenericKubernetesResource resource, Instant now) {
    FunctionObject object = FunctionObject.of(resource, cluster.namespaces());
    Seen result = reconcile(object, revisions(object), now);
    DeployedFunction deployed = result.deployed();
    if (deployed == null || result.problem().isPresent()) {
      throw new IllegalStateException(
          "%s was changed by somebody else meanwhile: %s"
              .formatted(object.name(), result.problem().map(Problem::message).orElse("deleted")));
    }
    return deployed;
  }

  @Override
  public boolean delete(FunctionName name, Instant now) {
    boolean known = !cluster.object(cluster.function(name)).delete().isEmpty();
    Seen before = seen.get(name);
    if (before != null) {
      seen.put(name, new Seen(before.object(), null, Optional.empty()));
    }
    return known;
  }

  /// Lets a deleted function go, with its revisions.
  void release(FunctionObject object) {
    finalizer(object, false);
    LOG.atInfo().addKeyValue("function", object.name()).log("let go");
  }

  private void finalizer(FunctionObject object, boolean wanted) {
    cluster.apply(
        cluster.function(object.name()),
        object.uid(),
        wanted
            ? Map.of("metadata", Map.of("finalizers", List.of(FunctionObject.FINALIZER)))
            : Map.of(),
        Cluster.OPERATOR);
  }

  /// Only this process makes revisions, so it knows those of a function that it has looked at. Of
  /// others the API's cache tells: who waits for its newest state waits a tenth of a second, and a
  /// revision that the cache does not know yet cannot be made twice.
  private List<Revision> revisions(FunctionObject object) {
    FunctionName name = object.name();
    boolean relist = lost.remove(name);
    Seen known = seen.get(name);
    if (!relist
        && known != null
        && known.deployed() != null
        && known.object().uid().equals(object.uid())) {
      return known.deployed().revisions();
    }
    return readable(
            cluster
                .objects(Kind.REVISION, cluster.namespaces().of(name))
                .withLabel(Cluster.FUNCTION_LABEL, name.local())
                .list(new ListOptionsBuilder().withResourceVersion(relist ? null : "0").build()))
        .toList();
  }

  /// The revisions but for those that cannot be read: whoever may make one in his namespace must
  /// not keep the controller from serving the others.
  private Stream<Revision> readable(GenericKubernetesResourceList revisions) {
    Namespaces namespaces = cluster.namespaces();
    return revisions.getItems().stream()
        .flatMap(each -> {
          try {
            return Stream.of(FunctionObject.revision(each, namespaces));
          } catch (IllegalArgumentException | IllegalStateException e) {
            LOG.atWarn()
                .addKeyValue("revision", each.getMetadata().getName())
                .addKeyValue("namespace", each.getMetadata().getNamespace())
                .setCause(e)
                .log("left out, as it cannot be read");
            return Stream.empty();
          }
        });
  }

  private static List<Revision> sorted(List<Revision> revisions) {
    List<Revision> sorted = new ArrayList<>(revisions);
    sorted.sort(Comparator.comparingInt(revision -> revision.id().number()));
    return sorted;
  }

  private void create(FunctionObject owner, Revision revision) {
    ObjectRef function = cluster.function(owner.name());
    Map<String, Object> spec =
        Map.of(
            "function", function.name(),
            "number", revision.id().number(),
            "template", FunctionObject.tree(revision.spec()));
    GenericKubernetesResource object =
        new GenericKubernetesResourceBuilder()
            .withApiVersion(Function.API_VERSION)
            .withKind(Kind.REVISION.word())
            .withNewMetadata()
            .withName(revision.id().local())
            .addToLabels(Cluster.FUNCTION_LABEL, function.name())
            .addToLabels(Cluster.MANAGED_BY, "weft")
            .addToOwnerReferences(Cluster.madeFor(function, owner.uid()))
            .endMetadata()
            .addToAdditionalProperties("spec", spec)
            .build();
    cluster.objects(Kind.REVISION, function.namespace()).resource(object).create();
    LOG.atInfo().addKeyValue("revision", revision.id()).log("a revision was made");
  }

  private void delete(RevisionId revision) {
    String namespace = cluster.namespaces().of(revision.function());
    cluster.object(new ObjectRef(Kind.REVISION, namespace, revision.local())).delete();
  }
}
