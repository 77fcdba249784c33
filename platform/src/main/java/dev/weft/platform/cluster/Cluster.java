package dev.weft.platform.cluster;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Json;
import dev.weft.platform.cluster.model.Namespaces;
import dev.weft.platform.config.WeftConfig;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceList;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.Status;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.dsl.FilterWatchListDeletable;
import io.fabric8.kubernetes.client.dsl.Informable;
import io.fabric8.kubernetes.client.dsl.NonNamespaceOperation;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.fabric8.kubernetes.client.vertx.VertxHttpClientFactory;
import io.vertx.core.Vertx;
import jakarta.annotation.PreDestroy;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The API of the cluster, and the kinds of objects that are Weft's there. Outside of a cluster
/// nobody asks, and nothing is opened. **thread**: calls block.
@Singleton
public final class Cluster {
  private static final Logger LOG = LoggerFactory.getLogger(Cluster.class);

  /// Who writes status, revisions, and what pools need.
  static final String OPERATOR = "weft-operator";

  /// Who writes what came by the management API.
  static final String API = "weft-api";

  /// Names the function that an object is of.
  static final String FUNCTION_LABEL = "weft.dev/function";

  static final String MANAGED_BY = "app.kubernetes.io/managed-by";

  /// The Secret with the keys' hashes; the chart makes it.
  static final String KEYS = "keys";

  private final WeftConfig.Cluster config;
  private final Supplier<KubernetesClient> opener;
  private final ObjectMapper json = Json.mapper();
  private @Nullable KubernetesClient client;

  @Inject
  public Cluster(WeftConfig config, Vertx vertx) {
    this(
        config.cluster(),
        () ->
            new KubernetesClientBuilder()
                .withHttpClientFactory(new VertxHttpClientFactory(vertx))
                .withKubernetesSerialization(serialization())
                .build());
  }

  Cluster(WeftConfig.Cluster config, Supplier<KubernetesClient> opener) {
    this.config = config;
    this.opener = opener;
  }

  /// Whoever asks says what class the answer is, but for a watch that is refused. With all classes
  /// of all kinds that there are, a process would be seconds later.
  private static KubernetesSerialization serialization() {
    var serialization = new KubernetesSerialization(new ObjectMapper(), false);
    serialization.registerKubernetesResource(Status.class);
    return serialization;
  }

  synchronized KubernetesClient client() {
    KubernetesClient open = client;
    if (open == null) {
      if (!config.enabled()) {
        throw new IllegalStateException("this process is not part of a cluster");
      }
      open = opener.get();
      client = open;
    }
    return open;
  }

  @PreDestroy
  synchronized void close() {
    KubernetesClient open = client;
    if (open != null) {
      open.close();
      client = null;
    }
  }

  WeftConfig.Cluster config() {
    return config;
  }

  /// The namespace of this installation's objects.
  String namespace() {
    return config
        .namespace()
        .or(() -> Optional.ofNullable(client().getNamespace()))
        .orElseThrow(() -> new IllegalStateException("set weft.cluster.namespace"));
  }

  /// The name of an object of this installation.
  String named(String suffix) {
    return config.name() + "-" + suffix;
  }

  /// The Secret that the chart makes and the controller writes to; throws [IllegalStateException]
  /// when it is not there.
  Secret keys() {
    Secret secret = client().secrets().inNamespace(namespace()).withName(named(KEYS)).get();
    if (secret == null) {
      throw new IllegalStateException(
          "there is no Secret %s in the namespace %s; the chart makes it"
              .formatted(named(KEYS), namespace()));
    }
    return secret;
  }

  /// Makes an object go when the installation does: it belongs to what the chart has made.
  OwnerReference installation() {
    Secret owner = keys();
    return new OwnerReferenceBuilder()
        .withApiVersion(owner.getApiVersion())
        .withKind(owner.getKind())
        .withName(owner.getMetadata().getName())
        .withUid(owner.getMetadata().getUid())
        .build();
  }

  /// Makes an object go when the one of a kind of Weft's does that it was made for.
  static OwnerReference madeFor(ObjectRef object, String uid) {
    return new OwnerReferenceBuilder()
        .withApiVersion(Function.API_VERSION)
        .withKind(object.kind().word())
        .withName(object.name())
        .withUid(uid)
        .withController(true)
        .build();
  }

  /// The kinds of objects that are Weft's own.
  enum Kind {
    FUNCTION("Function"),
    REVISION("FunctionRevision"),
    POOL("DevicePool");

    private final String word;

    Kind(String word) {
      this.word = word;
    }

    String word() {
      return word;
    }

    private ResourceDefinitionContext context() {
      int slash = Function.API_VERSION.indexOf('/');
      return new ResourceDefinitionContext.Builder()
          .withGroup(Function.API_VERSION.substring(0, slash))
          .withVersion(Function.API_VERSION.substring(slash + 1))
          .withKind(word)
          .withPlural(word.toLowerCase(Locale.ROOT) + "s")
          .withNamespaced(true)
          .build();
    }
  }

  /// One object of a kind of Weft's.
  record ObjectRef(Kind kind, String namespace, String name) {}

  /// The object that a function is.
  ObjectRef function(FunctionName name) {
    return new ObjectRef(Kind.FUNCTION, namespaces().of(name), name.local());
  }

  /// A pool of this installation.
  ObjectRef pool(String name) {
    return new ObjectRef(Kind.POOL, namespace(), name);
  }

  /// How functions are called that are objects of namespaces.
  Namespaces namespaces() {
    return new Namespaces(namespace());
  }

  /// Whether functions of all namespaces are this installation's.
  boolean everywhere() {
    return config.scope() == WeftConfig.Cluster.Scope.CLUSTER;
  }

  /// The objects of a kind in this installation's namespace.
  NonNamespaceOperation<
          GenericKubernetesResource,
          GenericKubernetesResourceList,
          Resource<GenericKubernetesResource>>
      objects(Kind kind) {
    return objects(kind, namespace());
  }

  NonNamespaceOperation<
          GenericKubernetesResource,
          GenericKubernetesResourceList,
          Resource<GenericKubernetesResource>>
      objects(Kind kind, String namespace) {
    return client().genericKubernetesResources(kind.context()).inNamespace(namespace);
  }

  /// The objects of a kind in all namespaces that this installation looks at.
  FilterWatchListDeletable<
          GenericKubernetesResource,
          GenericKubernetesResourceList,
          Resource<GenericKubernetesResource>>
      allObjects(Kind kind) {
    return everywhere()
        ? client().genericKubernetesResources(kind.context()).inAnyNamespace()
        : objects(kind);
  }

  /// Follows objects once it is started. The API may be away: it is asked again until it answers.
  ///
  /// @param what for the log, such as `pools`
  static <T> SharedIndexInformer<T> informer(Informable<T> objects, String what) {
    SharedIndexInformer<T> informer = objects.runnableInformer(0);
    informer.exceptionHandler((_, failure) -> {
      LOG.atWarn().setCause(failure).log(what + " cannot be followed; trying again");
      return true;
    });
    return informer;
  }

  Resource<GenericKubernetesResource> object(ObjectRef object) {
    return objects(object.kind(), object.namespace()).withName(object.name());
  }

  /// Says what this process has to say of an object, by server-side apply: members that it said
  /// before and does not say now go. Returns the object as it is then.
  ///
  /// @param uid of the object that is meant; `null` makes one that is not there
  /// @param members such as `spec`
  GenericKubernetesResource apply(
      ObjectRef object, @Nullable String uid, Map<String, Object> members, String manager) {
    return patch(object, uid, members, manager, null);
  }

  /// The same of an object's status.
  void applyStatus(ObjectRef object, String uid, Object status) {
    patch(object, uid, Map.of("status", json.valueToTree(status)), OPERATOR, "status");
  }

  /// Changes members of a pod of this installation; `null` takes one away.
  void mergePod(String name, Map<String, Object> change) {
    merge(
        client().pods().inNamespace(namespace()).withName(name),
        PatchContext.of(PatchType.JSON_MERGE),
        change);
  }

  /// The same of the Secret with the keys' hashes.
  void mergeKeys(Map<String, Object> change) {
    PatchContext context = PatchContext.of(PatchType.JSON_MERGE);
    context.setFieldManager(OPERATOR);
    merge(client().secrets().inNamespace(namespace()).withName(named(KEYS)), context, change);
  }

  private static void merge(Resource<?> object, PatchContext context, Map<String, Object> change) {
    try {
      // Not the contract's mapper, which leaves out what is `null`.
      object.patch(context, new ObjectMapper().writeValueAsString(change));
    } catch (JsonProcessingException e) {
      throw new AssertionError("a map can be written", e);
    }
  }

  private GenericKubernetesResource patch(
      ObjectRef ref,
      @Nullable String uid,
      Map<String, Object> members,
      String manager,
      @Nullable String subresource) {
    var object = json.createObjectNode();
    object.put("apiVersion", Function.API_VERSION).put("kind", ref.kind().word());
    var metadata =
        object.putObject("metadata").put("name", ref.name()).put("namespace", ref.namespace());
    if (uid != null) {
      metadata.put("uid", uid);
    }
    members.forEach((member, value) -> {
      var tree = json.valueToTree(value);
      if (member.equals("metadata")) {
        metadata.setAll((ObjectNode) tree);
      } else {
        object.set(member, tree);
      }
    });
    PatchContext context = PatchContext.of(PatchType.SERVER_SIDE_APPLY);
    context.setFieldManager(manager);
    context.setForce(true);
    Resource<GenericKubernetesResource> target =
        objects(ref.kind(), ref.namespace())
            .resource(
                client()
                    .getKubernetesSerialization()
                    .unmarshal(object.toString(), GenericKubernetesResource.class));
    return subresource == null
        ? target.patch(context)
        : target.subresource(subresource).patch(context);
  }
}
