package dev.weft.platform.cluster.model;

import dev.weft.functions.instance.DeviceId;
import io.fabric8.kubernetes.api.model.discovery.v1.Endpoint;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointConditions;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointPort;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Where runtimes can be reached, by their pods, which are devices.
///
/// @param places of all that may answer
/// @param leaving those that are about to end, and still answer
/// @param doubted those that are said not to be ready: they start, or are not well, or nobody hears
///   of their node
public record RuntimeEndpoints(
    Map<DeviceId, Place> places, Set<DeviceId> leaving, Set<DeviceId> doubted) {
  public RuntimeEndpoints {
    places = Map.copyOf(places);
    leaving = Set.copyOf(leaving);
    doubted = Set.copyOf(doubted);
  }

  /// An address and a port.
  public record Place(String host, int port) {}

  public static RuntimeEndpoints of(Collection<EndpointSlice> slices) {
    Map<DeviceId, Place> places = new HashMap<>();
    Set<DeviceId> leaving = new HashSet<>();
    Set<DeviceId> doubted = new HashSet<>();
    for (EndpointSlice slice : slices) {
      Integer port =
          slice.getPorts() == null
              ? null
              : slice.getPorts().stream().findFirst().map(EndpointPort::getPort).orElse(null);
      if (port != null) {
        slice.getEndpoints().forEach(endpoint -> add(endpoint, port, places, leaving, doubted));
      }
    }
    return new RuntimeEndpoints(places, leaving, doubted);
  }

  private static void add(
      Endpoint endpoint,
      int port,
      Map<DeviceId, Place> places,
      Set<DeviceId> leaving,
      Set<DeviceId> doubted) {
    EndpointConditions conditions = endpoint.getConditions();
    // Not known means yes.
    boolean serves = conditions == null || !isFalse(conditions.getServing());
    boolean ready = conditions == null || !isFalse(conditions.getReady());
    boolean ends = conditions != null && Boolean.TRUE.equals(conditions.getTerminating());
    if (endpoint.getTargetRef() == null || endpoint.getAddresses().isEmpty() || (ends && !serves)) {
      return;
    }
    DeviceId device = new DeviceId(endpoint.getTargetRef().getName());
    places.put(device, new Place(endpoint.getAddresses().getFirst(), port));
    if (ends) {
      leaving.add(device);
    } else if (!ready) {
      doubted.add(device);
    }
  }

  private static boolean isFalse(@Nullable Boolean value) {
    return Boolean.FALSE.equals(value);
  }
}
