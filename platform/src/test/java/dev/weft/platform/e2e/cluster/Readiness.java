package dev.weft.platform.e2e.cluster;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceList;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.dsl.NonNamespaceOperation;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/// Makes and changes many functions, and watches how long each takes to be ready as it is.
final class Readiness implements AutoCloseable {
  private static final int WRITERS = 16;

  private final KubernetesClient client = new KubernetesClientBuilder().build();
  private final Map<String, Change> changes = new ConcurrentHashMap<>();

  /// A function that was made or changed.
  ///
  /// @param generation of what it is now
  /// @param begin as [System#nanoTime] tells it
  /// @param ready how long it took
  private record Change(long generation, long begin, CompletableFuture<Duration> ready) {
    Change(long generation) {
      this(generation, System.nanoTime(), new CompletableFuture<>());
    }

    void see(Map<String, Object> condition) {
      boolean current =
          condition.get("observedGeneration") instanceof Number observed
              && observed.longValue() >= generation;
      if (current
          && "Ready".equals(condition.get("type"))
          && "True".equals(condition.get("status"))) {
        ready.complete(Duration.ofNanos(System.nanoTime() - begin));
      }
    }
  }

  Readiness() {
    functions()
        .inform(
            new ResourceEventHandler<>() {
              @Override
              public void onAdd(GenericKubernetesResource object) {
                see(object);
              }

              @Override
              public void onUpdate(
                  GenericKubernetesResource before, GenericKubernetesResource after) {
                see(after);
              }

              @Override
              public void onDelete(GenericKubernetesResource object, boolean unknown) {}
            });
  }

  private NonNamespaceOperation<
          GenericKubernetesResource,
          GenericKubernetesResourceList,
          Resource<GenericKubernetesResource>>
      functions() {
    return client
        .genericKubernetesResources("weft.dev/v1alpha1", "Function")
        .inNamespace(Release.NAMESPACE);
  }

  private void see(GenericKubernetesResource object) {
    Change change = changes.get(object.getMetadata().getName());
    List<Map<String, Object>> conditions = object.get("status", "conditions");
    if (change != null && conditions != null) {
      conditions.forEach(change::see);
    }
  }

  void create(Collection<String> names) throws InterruptedException {
    try (ExecutorService writers = Executors.newFixedThreadPool(WRITERS)) {
      writers.invokeAll(
          names.stream().map(name -> Executors.callable(() -> create(name))).toList());
    }
  }

  private void create(String name) {
    GenericKubernetesResource function = new GenericKubernetesResource();
    function.setApiVersion("weft.dev/v1alpha1");
    function.setKind("Function");
    function.setMetadata(new ObjectMetaBuilder().withName(name).build());
    function.setAdditionalProperty(
        "spec",
        Map.of(
            "model",
            Map.of("kind", "generation", "sources", List.of(Map.of("uri", "file:///stub/model"))),
            "scaling",
            Map.of("min", 0, "max", 1, "keepAlive", "10s")));
    changes.put(name, new Change(1));
    functions().resource(function).create();
  }

  /// Changes it for the first time.
  void change(String name) {
    changes.put(name, new Change(2));
    functions()
        .withName(name)
        .edit(function -> {
          Map<String, Object> scaling = function.get("spec", "scaling");
          scaling.put("keepAlive", "11s");
          return function;
        });
  }

  /// Waits until all are ready as they are, and returns how long each took since it was made or
  /// changed.
  List<Duration> await(Duration limit, Collection<String> names) {
    List<CompletableFuture<Duration>> all =
        changes.entrySet().stream()
            .filter(change -> names.contains(change.getKey()))
            .map(change -> change.getValue().ready())
            .toList();
    CompletableFuture.allOf(all.toArray(CompletableFuture[]::new))
        .orTimeout(limit.toSeconds(), TimeUnit.SECONDS)
        .join();
    return all.stream().map(CompletableFuture::join).toList();
  }

  static String told(Collection<Duration> durations) {
    List<Duration> sorted = durations.stream().sorted().toList();
    int last = sorted.size() - 1;
    return "p50 %.3f s, p95 %.3f s, at most %.3f s"
        .formatted(
            sorted.get(last / 2).toMillis() / 1e3,
            sorted.get(last * 95 / 100).toMillis() / 1e3,
            sorted.getLast().toMillis() / 1e3);
  }

  @Override
  public void close() {
    client.close();
  }
}
