package dev.weft.platform.cluster;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.cluster.model.RuntimeEndpoints;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.control.RuntimeFollowers;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Finds runtimes by the EndpointSlices of their Service, and has their status streams followed: in
/// controllers and in gateways alike, so that neither needs the other for it.
final class RuntimeDiscovery implements ResourceEventHandler<EndpointSlice> {
  private static final String SERVICE_LABEL = "kubernetes.io/service-name";

  private final Cluster cluster;
  private final RuntimeFollowers followers;
  private final String secret;
  private volatile @Nullable SharedIndexInformer<EndpointSlice> informer;

  RuntimeDiscovery(Cluster cluster, RuntimeFollowers followers) {
    this.cluster = cluster;
    this.followers = followers;
    Path file =
        cluster
            .config()
            .runtimeSecretFile()
            .orElseThrow(() ->
                new IllegalStateException(
                    "set weft.cluster.runtime-secret-file, a file with the runtimes' secret"));
    this.secret =
        WeftHome.read(file)
            .map(String::strip)
            .orElseThrow(() -> new IllegalStateException("there is no " + file));
  }

  void start() {
    SharedIndexInformer<EndpointSlice> made =
        Cluster.informer(
            cluster
                .client()
                .discovery()
                .v1()
                .endpointSlices()
                .inNamespace(cluster.namespace())
                .withLabel(SERVICE_LABEL, cluster.named("runtimes")),
            "runtimes");
    informer = made;
    made.addEventHandler(this);
    made.start();
  }

  void stop() {
    SharedIndexInformer<EndpointSlice> running = informer;
    if (running != null) {
      running.stop();
    }
  }

  @Override
  public void onAdd(EndpointSlice slice) {
    look();
  }

  @Override
  public void onUpdate(EndpointSlice before, EndpointSlice after) {
    look();
  }

  @Override
  public void onDelete(EndpointSlice slice, boolean unknown) {
    look();
  }

  private void look() {
    SharedIndexInformer<EndpointSlice> known = informer;
    if (known == null) {
      return;
    }
    RuntimeEndpoints found = RuntimeEndpoints.of(known.getStore().list());
    Map<DeviceId, RuntimeAddress> addresses = new HashMap<>();
    found
        .places()
        .forEach((device, place) ->
            addresses.put(device, new RuntimeAddress(place.host(), place.port(), secret)));
    followers.doubt(found.doubted());
    followers.followOnly(addresses);
    found.leaving().forEach(followers::leaving);
  }
}
