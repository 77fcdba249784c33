package dev.weft.platform.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.weft.functions.Json;
import dev.weft.functions.cluster.DevicePoolSpec;
import dev.weft.platform.cluster.model.RuntimeWorkload;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The example of an InferencePool, on an apiserver with the definitions of the Gateway API and of
/// its Inference Extension. Nobody is there who would act on it.
final class InferencePoolIT {
  private static final Path EXAMPLE = ApiServer.CHART.resolve("../examples/inference-pool.yaml");
  private static final ObjectMapper YAML = new YAMLMapper();

  @TempDir static Path directory;

  private static ApiServer server;
  private static KubernetesClient client;

  @BeforeAll
  static void up() throws Exception {
    List<Path> definitions = ApiServer.definitions();
    server = ApiServer.start(directory);
    client = server.client();
    for (Path definition : definitions) {
      ApiServer.apply(client, Files.readString(definition));
    }
  }

  @AfterAll
  static void down() {
    if (server != null) {
      client.close();
      server.close();
    }
  }

  private static List<JsonNode> example() throws IOException {
    String text =
        Files.readString(EXAMPLE)
            .replace("GATEWAY_NAMESPACE", "edge")
            .replace("GATEWAY", "public")
            .replace("NAMESPACE", "default")
            .replace("RUNTIME_SECRET", "secret");
    try (MappingIterator<JsonNode> objects = YAML.readerFor(JsonNode.class).readValues(text)) {
      return objects.readAll();
    }
  }

  private static String kind(JsonNode object) {
    return object.path("kind").asText();
  }

  private static JsonNode pool() throws IOException {
    return example().stream()
        .filter(object -> kind(object).equals("InferencePool"))
        .findFirst()
        .orElseThrow();
  }

  /// As kubectl does: members that are not known are refused.
  private static void offer(JsonNode object) {
    String resource =
        switch (kind(object)) {
          case "InferencePool" -> "inferencepools";
          case "HTTPRoute" -> "httproutes";
          case "NetworkPolicy" -> "networkpolicies";
          default -> throw new IllegalArgumentException(kind(object));
        };
    client.raw(
        "/apis/%s/namespaces/default/%s?fieldValidation=Strict&dryRun=All"
            .formatted(object.path("apiVersion").asText(), resource),
        "POST",
        object);
  }

  @Test
  void theExampleIsTaken() throws IOException {
    assertThat(example())
        .extracting(InferencePoolIT::kind)
        .containsExactly("InferencePool", "HTTPRoute", "NetworkPolicy");
    for (JsonNode object : example()) {
      offer(object);
    }
  }

  @Test
  void whatTheExtensionDoesNotKnowIsRefused() throws IOException {
    JsonNode wrong =
        YAML.readTree(YAML.writeValueAsString(pool()).replace("targetPorts", "targetPort"));
    assertThatExceptionOfType(KubernetesClientException.class)
        .isThrownBy(() -> offer(wrong))
        .withMessageContaining("targetPort");
  }

  /// What the operator makes of a pool is what the example selects.
  @Test
  void theExampleSelectsThePodsOfThePool() throws IOException {
    Deployment made =
        (Deployment)
            RuntimeWorkload.of(
                new RuntimeWorkload.Installation(
                    "weft",
                    "default",
                    Optional.of("weft/runtime-cpu"),
                    "IfNotPresent",
                    List.of(),
                    "weft-runtime",
                    Optional.empty(),
                    OptionalLong.empty()),
                "cpu",
                Json.mapper()
                    .readValue(
                        "{\"device\": \"cpu\", \"workload\": \"deployment\"}",
                        DevicePoolSpec.class),
                new OwnerReference());
    Map<String, String> labels = made.getSpec().getTemplate().getMetadata().getLabels();
    pool()
        .at("/spec/selector/matchLabels")
        .properties()
        .forEach(
            label -> assertThat(labels).containsEntry(label.getKey(), label.getValue().asText()));
    Stream<Integer> ports =
        made.getSpec().getTemplate().getSpec().getContainers().stream()
            .flatMap(container -> container.getPorts().stream())
            .map(ContainerPort::getContainerPort);
    assertThat(ports).containsExactly(pool().at("/spec/targetPorts/0/number").asInt());
  }
}
