package dev.weft.platform.stub;

import dev.weft.functions.instance.DeviceId;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The runtimes of all pods that are only said to run, in one process: whoever connects to the
/// address of a pod finds the stub of that pod's device.
public final class StubRuntimes {
  private final Vertx vertx;
  private final String secret;
  private final Map<String, DeviceId> devices = new ConcurrentHashMap<>();
  private final Map<DeviceId, StubRuntime> runtimes = new HashMap<>();

  private StubRuntimes(Vertx vertx, String secret) {
    this.vertx = vertx;
    this.secret = secret;
  }

  /// @param arguments the namespace and the label of the pods, the port, and a file with the secret
  public static void main(String... arguments) throws Exception {
    String secret = Files.readString(Path.of(arguments[3])).strip();
    StubRuntimes stubs = new StubRuntimes(Vertx.vertx(), secret);
    KubernetesClient client = new KubernetesClientBuilder().build();
    client.pods().inNamespace(arguments[0]).withLabel(arguments[1]).inform(stubs.new Pods());
    stubs
        .vertx
        .createHttpServer()
        .requestHandler(stubs::handle)
        .listen(Integer.parseInt(arguments[2]), "0.0.0.0")
        .onFailure(failure -> Runtime.getRuntime().halt(1));
  }

  private final class Pods implements ResourceEventHandler<Pod> {
    @Override
    public void onAdd(Pod pod) {
      String address = pod.getStatus().getPodIP();
      if (address != null) {
        devices.put(address, new DeviceId(pod.getMetadata().getName()));
      }
    }

    @Override
    public void onUpdate(Pod before, Pod after) {
      onAdd(after);
    }

    @Override
    public void onDelete(Pod pod, boolean unknown) {
      devices.values().remove(new DeviceId(pod.getMetadata().getName()));
    }
  }

  /// All requests are on one event loop, so runtimes need no locks.
  private void handle(HttpServerRequest request) {
    DeviceId device = devices.get(request.localAddress().hostAddress());
    if (device == null) {
      request.response().setStatusCode(404).end();
    } else {
      runtimes
          .computeIfAbsent(device, name -> new StubRuntime(vertx, name, secret))
          .handle(request);
    }
  }
}
