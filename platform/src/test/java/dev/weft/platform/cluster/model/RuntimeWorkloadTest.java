package dev.weft.platform.cluster.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.weft.functions.Json;
import dev.weft.functions.cluster.DevicePoolSpec;
import dev.weft.platform.cluster.model.RuntimeWorkload.Installation;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/// What the objects of a pool look like.
class RuntimeWorkloadTest {
  private static HasMetadata workload(String yaml) {
    return workload(Optional.of("weft/runtime:1"), yaml);
  }

  private static HasMetadata workload(Optional<String> image, String yaml) {
    Installation installation =
        new Installation(
            "weft",
            "models",
            image,
            "IfNotPresent",
            List.of(),
            "weft-runtime",
            Optional.of("weft-runtime"),
            OptionalLong.of(1_000));
    try {
      DevicePoolSpec spec =
          Json.mapper().treeToValue(new YAMLMapper().readTree(yaml), DevicePoolSpec.class);
      return RuntimeWorkload.of(
          installation,
          "pool",
          spec,
          new OwnerReferenceBuilder().withKind("DevicePool").withName("pool").build());
    } catch (JsonProcessingException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aPoolIsARuntimeOnEveryNodeThatFits() {
    DaemonSet set =
        (DaemonSet)
            workload("{device: cpu, nodeSelector: {amx: 'true'}, resources: {memory: 16Gi}}");
    assertThat(set.getMetadata().getName()).isEqualTo("weft-pool");
    PodSpec pod = set.getSpec().getTemplate().getSpec();
    assertThat(pod.getNodeSelector()).containsEntry("amx", "true");
    assertThat(pod.getAutomountServiceAccountToken()).isFalse();
    assertThat(pod.getSecurityContext().getFsGroup()).isEqualTo(1_000);
    assertThat(pod.getSecurityContext().getRunAsUser()).isNull();
    Container container = pod.getContainers().getFirst();
    assertThat(container.getResources().getLimits())
        .isEqualTo(container.getResources().getRequests())
        .containsOnlyKeys("memory");
    assertThat(set.getSpec().getTemplate().getMetadata().getLabels())
        .containsAllEntriesOf(set.getSpec().getSelector().getMatchLabels());
  }

  @Test
  void aPoolOfCardsAsksForOneEach() {
    Deployment deployment =
        (Deployment) workload("{device: gpu, workload: deployment, replicas: 3}");
    assertThat(deployment.getSpec().getReplicas()).isEqualTo(3);
    assertThat(limits(deployment)).containsEntry("nvidia.com/gpu", new Quantity("1"));
    String other =
        "{device: gpu, workload: deployment, resources: {gpus: 2, gpuResource: amd.com/gpu}}";
    assertThat(limits((Deployment) workload(other)))
        .isEqualTo(Map.of("amd.com/gpu", new Quantity("2")));
  }

  private static Map<String, Quantity> limits(Deployment deployment) {
    PodSpec pod = deployment.getSpec().getTemplate().getSpec();
    return pod.getContainers().getFirst().getResources().getLimits();
  }

  @Test
  void modelsAreMountedReadOnlyAndTheCacheWhereItIsSaid() {
    DaemonSet set =
        (DaemonSet) workload("{device: cpu, cache: {claim: shared}, models: [{claim: own}]}");
    PodSpec pod = set.getSpec().getTemplate().getSpec();
    assertThat(pod.getVolumes())
        .filteredOn(volume -> volume.getPersistentVolumeClaim() != null)
        .extracting(volume -> volume.getPersistentVolumeClaim().getClaimName())
        .containsExactlyInAnyOrder("shared", "own");
    assertThat(pod.getContainers().getFirst().getVolumeMounts())
        .filteredOn(mount -> mount.getMountPath().equals("/models/own"))
        .singleElement()
        .satisfies(mount -> assertThat(mount.getReadOnly()).isTrue());
  }

  @Test
  void modelsMayBeInAnImage() {
    DaemonSet set =
        (DaemonSet)
            workload(
                """
                device: cpu
                models:
                  - {name: support, image: "registry.example.org/support:7b", pullPolicy: Always}
                  - {name: other, image: "registry.example.org/other:1", path: /srv/other}
                """);
    PodSpec pod = set.getSpec().getTemplate().getSpec();
    assertThat(pod.getVolumes())
        .filteredOn(volume -> volume.getImage() != null)
        .extracting(
            volume -> volume.getName(),
            volume -> volume.getImage().getReference(),
            volume -> volume.getImage().getPullPolicy())
        .containsExactly(
            tuple("models-support", "registry.example.org/support:7b", "Always"),
            tuple("models-other", "registry.example.org/other:1", null));
    assertThat(pod.getContainers().getFirst().getVolumeMounts())
        .filteredOn(mount -> mount.getName().startsWith("models-"))
        .extracting(mount -> mount.getMountPath(), mount -> mount.getReadOnly())
        .containsExactly(tuple("/models/support", true), tuple("/srv/other", true));
  }

  @Test
  void modelsAreOfAClaimOrOfAnImageWithAName() {
    for (String model : List.of("{}", "{claim: a, image: b, name: c}", "{image: b}")) {
      assertThatThrownBy(() -> workload("{device: cpu, models: [%s]}".formatted(model)))
          .hasMessageContaining("spec.models");
    }
  }

  @Test
  void sourcesAreFetchedWithThePoolsSecrets() {
    PodSpec none = ((DaemonSet) workload("{device: cpu}")).getSpec().getTemplate().getSpec();
    assertThat(none.getContainers().getFirst().getEnvFrom()).isEmpty();
    PodSpec pod =
        ((DaemonSet)
                workload(
                    "{device: cpu, credentials: {environmentSecret: store, registrySecret: pull}}"))
            .getSpec()
            .getTemplate()
            .getSpec();
    Container container = pod.getContainers().getFirst();
    assertThat(container.getEnvFrom())
        .singleElement()
        .satisfies(from -> assertThat(from.getSecretRef().getName()).isEqualTo("store"));
    String path =
        container.getEnv().stream()
            .filter(variable -> variable.getName().equals("DOCKER_CONFIG"))
            .map(variable -> variable.getValue())
            .findFirst()
            .orElseThrow();
    assertThat(container.getVolumeMounts())
        .filteredOn(mount -> mount.getMountPath().equals(path))
        .singleElement()
        .satisfies(mount -> assertThat(mount.getReadOnly()).isTrue());
    assertThat(pod.getVolumes())
        .filteredOn(volume -> volume.getName().equals("registries"))
        .singleElement()
        .satisfies(volume -> {
          assertThat(volume.getSecret().getSecretName()).isEqualTo("pull");
          assertThat(volume.getSecret().getItems())
              .extracting(item -> item.getKey(), item -> item.getPath())
              .containsExactly(tuple(".dockerconfigjson", "config.json"));
        });
  }

  @Test
  void withoutAnImageItSaysWhereOneIsSet() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> workload(Optional.empty(), "{device: cpu}"))
        .withMessageContaining("set image, or the chart's");
    workload(Optional.empty(), "{device: cpu, image: mine:1}");
  }
}
