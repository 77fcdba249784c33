package dev.weft.platform.cluster.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.cluster.model.RuntimeEndpoints.Place;
import io.fabric8.kubernetes.api.model.discovery.v1.Endpoint;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointConditionsBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSliceBuilder;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Which runtimes slices tell of.
class RuntimeEndpointsTest {
  private static Endpoint endpoint(
      String pod, String address, @Nullable Boolean ready, boolean serving, boolean ends) {
    return new EndpointBuilder()
        .withAddresses(address)
        .withNewTargetRef()
        .withKind("Pod")
        .withName(pod)
        .endTargetRef()
        .withConditions(
            new EndpointConditionsBuilder()
                .withReady(ready)
                .withServing(serving)
                .withTerminating(ends)
                .build())
        .build();
  }

  private static EndpointSlice slice(Endpoint... endpoints) {
    return new EndpointSliceBuilder()
        .withAddressType("IPv4")
        .addNewPort()
        .withPort(7_001)
        .endPort()
        .withEndpoints(endpoints)
        .build();
  }

  @Test
  void whatIsReadyIsADeviceOfItsPodsName() {
    RuntimeEndpoints found =
        RuntimeEndpoints.of(
            List.of(
                slice(endpoint("a", "10.0.0.1", true, true, false)),
                slice(endpoint("b", "10.0.0.2", null, true, false))));
    assertThat(found.places())
        .isEqualTo(
            Map.of(
                new DeviceId("a"), new Place("10.0.0.1", 7_001),
                new DeviceId("b"), new Place("10.0.0.2", 7_001)));
    assertThat(found.leaving()).isEmpty();
    assertThat(found.doubted()).isEmpty();
  }

  @Test
  void whatIsNotReadyIsDoubted() {
    RuntimeEndpoints found =
        RuntimeEndpoints.of(List.of(slice(endpoint("a", "10.0.0.1", false, false, false))));
    assertThat(found.places()).containsOnlyKeys(new DeviceId("a"));
    assertThat(found.doubted()).containsExactly(new DeviceId("a"));
    assertThat(found.leaving()).isEmpty();
  }

  @Test
  void whatEndsLeavesWhileItServes() {
    RuntimeEndpoints found =
        RuntimeEndpoints.of(
            List.of(
                slice(
                    endpoint("a", "10.0.0.1", false, true, true),
                    endpoint("b", "10.0.0.2", false, false, true))));
    assertThat(found.places()).containsOnlyKeys(new DeviceId("a"));
    assertThat(found.leaving()).containsExactly(new DeviceId("a"));
    assertThat(found.doubted()).isEmpty();
  }

  @Test
  void aSliceWithoutAPortTellsOfNobody() {
    EndpointSlice bare =
        new EndpointSliceBuilder(slice(endpoint("a", "10.0.0.1", true, true, false)))
            .withPorts()
            .build();
    assertThat(RuntimeEndpoints.of(List.of(bare)).places()).isEmpty();
  }
}
