package dev.weft.platform.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.weft.functions.Catalog;
import dev.weft.functions.Function;
import dev.weft.functions.Json;
import dev.weft.functions.cluster.DevicePoolSpec;
import dev.weft.platform.cluster.model.RuntimeWorkload;
import dev.weft.platform.cluster.model.RuntimeWorkload.Installation;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The custom resources' definitions on a real apiserver: good manifests are taken, and bad ones
/// are refused in words that say what to write instead.
final class DefinitionsIT {
  private static final ObjectMapper YAML = new YAMLMapper();
  private static final String FUNCTION =
      """
      apiVersion: weft.dev/v1alpha1
      kind: Function
      metadata: {name: mine}
      spec:
        model:
          sources:
            - uri: file:/models/mine.gguf
      """;
  private static final String POOL =
      """
      apiVersion: weft.dev/v1alpha1
      kind: DevicePool
      metadata: {name: pool}
      spec:
        device: cpu
      """;

  @TempDir static Path directory;

  private static ApiServer server;
  private static KubernetesClient client;

  @BeforeAll
  static void up() throws Exception {
    server = ApiServer.start(directory);
    client = server.client();
    server.installDefinitions(client);
  }

  @AfterAll
  static void down() {
    if (server != null) {
      client.close();
      server.close();
    }
  }

  /// Offers a manifest as kubectl does: members that are not known are refused.
  private static void offer(String yaml) throws Exception {
    boolean pool = yaml.contains("kind: DevicePool");
    client.raw(
        "/apis/weft.dev/v1alpha1/namespaces/default/%s?fieldValidation=Strict&dryRun=All"
            .formatted(pool ? "devicepools" : "functions"),
        "POST",
        YAML.readTree(yaml));
  }

  @Test
  void takesTheCatalogAndWhatItAllows() throws Exception {
    for (Function function : Catalog.functions()) {
      offer(Catalog.manifest(function.name().value()).orElseThrow());
    }
    offer(FUNCTION + "  scaling: {min: 2, keepAlive: PT1M30S, waitBudget: 500ms}\n");
    offer(FUNCTION + "  traffic: [{revision: 1, percent: 90}, {percent: 10}]\n");
    offer(FUNCTION + "  adapterOf: base\n");
    offer(FUNCTION.replace("file:/models/mine.gguf", "https://models.example.org/a.gguf"));
    offer(FUNCTION.replace("file:/models/mine.gguf", "oci://registry:5000/team/model:v1"));
    offer(FUNCTION.replace("file:/models/mine.gguf", "s3://bucket/models/support-7b.gguf"));
    offer(POOL);
    offer(
        """
        apiVersion: weft.dev/v1alpha1
        kind: DevicePool
        metadata: {name: gpus}
        spec:
          device: gpu
          workload: deployment
          replicas: 2
          nodeSelector: {weft.dev/gpu: h200}
          tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
          resources: {cpu: "8", memory: 64Gi, gpus: 1}
          runtimeClassName: nvidia
          cache: {claim: models}
          models: [{claim: own-models}, {name: support, image: "registry/support:7b"}]
          credentials: {environmentSecret: store, registrySecret: pull}
        """);
  }

  /// The cluster has image volumes, and Pod Security lets them be.
  @Test
  void podsWithModelsOfImagesAreAdmittedAsRestricted() throws Exception {
    client
        .namespaces()
        .resource(
            new NamespaceBuilder()
                .withNewMetadata()
                .withName("restricted")
                .addToLabels("pod-security.kubernetes.io/enforce", "restricted")
                .endMetadata()
                .build())
        .create();
    DevicePoolSpec spec =
        Json.mapper()
            .treeToValue(
                YAML.readTree(
                    """
                    device: cpu
                    workload: deployment
                    models: [{name: support, image: "registry/support:7b", pullPolicy: Always}]
                    credentials: {environmentSecret: store, registrySecret: pull}
                    """),
                DevicePoolSpec.class);
    Deployment deployment =
        (Deployment)
            RuntimeWorkload.of(
                new Installation(
                    "weft",
                    "restricted",
                    Optional.of("weft/runtime-cpu:1"),
                    "IfNotPresent",
                    List.of(),
                    "weft-runtime",
                    Optional.empty(),
                    OptionalLong.empty()),
                "images",
                spec,
                new OwnerReferenceBuilder()
                    .withApiVersion("v1")
                    .withKind("ConfigMap")
                    .withName("owner")
                    .withUid("0")
                    .build());
    client.resource(deployment).create();
    Pod pod =
        client
            .resource(
                new PodBuilder()
                    .withNewMetadata()
                    .withName("runtime")
                    .withNamespace("restricted")
                    .endMetadata()
                    .withSpec(deployment.getSpec().getTemplate().getSpec())
                    .build())
            .create();
    assertThat(pod.getSpec().getVolumes())
        .filteredOn(volume -> volume.getImage() != null)
        .extracting(volume -> volume.getImage().getReference())
        .containsExactly("registry/support:7b");
    assertThat(pod.getSpec().getContainers().getFirst().getEnvFrom()).hasSize(1);
  }

  static Stream<Arguments> badManifests() {
    return Stream.of(
        bad(FUNCTION.replace("name: mine", "name: my.model"), "use 1 to 63 of a-z, 0-9 and '-'"),
        bad(FUNCTION.replace("name: mine", "name: Mine"), "metadata.name"),
        bad(FUNCTION.replace("model:", "modell:"), "unknown field \"spec.modell\""),
        bad(source("ftp://host/path"), "starts with none of file:, hf:, https:, oci:, pypi:, s3:"),
        bad(source("http://host/path"), "starts with none of file:, hf:, https:, oci:, pypi:, s3:"),
        bad(source("hf://org"), "write hf://org/name, hf://org/name@revision"),
        bad(source("hf://org/../name"), "write hf://org/name, hf://org/name@revision"),
        bad(source("https://host"), "write https://host/path"),
        bad(source("pypi://package/path"), "write pypi://package==version/path/inside"),
        bad(source("oci://registry/model"), "write oci://registry/repository:tag"),
        bad(source("oci://registry/a/../b:t"), "write oci://registry/repository:tag"),
        bad(source("s3://b"), "write s3://bucket/file or s3://bucket/folder"),
        bad(source("s3://bucket/a/../b"), "write s3://bucket/file or s3://bucket/folder"),
        bad(source("'file:'"), "write file:/path/to/model"),
        bad(FUNCTION.replace("- uri: file:/models/mine.gguf", "- file:/m"), "of type object"),
        bad(
            FUNCTION.replace("- uri: file:/models/mine.gguf", "- {uri: 'file:/m', sha256: ABC}"),
            "64 hexadecimal digits"),
        bad(
            FUNCTION.replace("sources:\n      - uri: file:/models/mine.gguf", "sources: []"),
            "should have at least 1 items"),
        bad(FUNCTION + "  scaling: {min: -1}\n", "should be greater than or equal to 0"),
        bad(FUNCTION + "  scaling: {max: 0}\n", "should be greater than or equal to 1"),
        bad(FUNCTION + "  scaling: {min: 3, max: 2}\n", "min is more than max"),
        bad(FUNCTION + "  scaling: {keepAlive: 5 minutes}\n", "write 500ms, 2s, 5m, 1h"),
        bad(FUNCTION + "  scaling: {keepAlive: 8761h}\n", "a year (8760h) at most"),
        bad(FUNCTION + "  scaling: {waitBudget: 25h}\n", "a day (24h) at most"),
        bad(FUNCTION + "  scaling: {keepalive: 5m}\n", "unknown field \"spec.scaling.keepalive\""),
        bad(FUNCTION + "  serviceLevel: {tpot: fast}\n", "write 500ms, 2s, 5m, 1h"),
        bad(FUNCTION + "  serviceLevel: {ttft: 0s}\n", "must be more than zero"),
        bad(FUNCTION + "  serviceLevel: {priority: 0}\n", "should be greater than or equal to 1"),
        bad(FUNCTION + "  limits: {maxHeldRequests: 0}\n", "greater than or equal to 1"),
        bad(FUNCTION + "  quantization: int4\n", "supported values: \"none\", \"auto\", \"w8a8\""),
        bad(FUNCTION + "  devices: [tpu]\n", "supported values: \"cpu\", \"gpu\""),
        bad(FUNCTION + "  devices: [cpu, cpu]\n", "Duplicate value: \"cpu\""),
        bad(FUNCTION + "  adapterOf: mine\n", "cannot be an adapter of itself"),
        bad(FUNCTION + "  adapterOf: base\n  kvCache: int8\n", "an adapter has its base's"),
        bad(FUNCTION + "  adapterOf: base\n  devices: [cpu]\n", "an adapter has its base's"),
        bad(
            FUNCTION + "  traffic: [{revision: 1, percent: 90}, {percent: 20}]\n",
            "do not make 100 percent"),
        bad(FUNCTION + "  traffic: [{percent: 50}, {percent: 50}]\n", "give the others a revision"),
        bad(
            FUNCTION + "  traffic: [{revision: 1, percent: 50}, {revision: 1, percent: 50}]\n",
            "has more than one share"),
        bad(POOL.replace("device: cpu", "device: npu"), "supported values: \"cpu\", \"gpu\""),
        bad(POOL.replace("name: pool", "name: a.pool"), "use 1 to 40 of a-z, 0-9 and '-'"),
        bad(POOL + "  replicas: 2\n", "replicas is for workload: deployment"),
        bad(POOL + "  resources: {gpus: 1}\n", "resources.gpus is for device: gpu"),
        bad(POOL + "  resources: {memory: much}\n", "not a quantity: write 4, 500m, 16Gi"),
        bad(POOL + "  cache: {claim: a, size: 1Gi}\n", "one of claim, hostPath and size"),
        bad(POOL + "  models: [{claim: a, path: ../a}]\n", "a whole path is wanted"),
        bad(POOL + "  models: [{claim: a, image: b, name: c}]\n", "give one of claim and image"),
        bad(POOL + "  models: [{name: c}]\n", "give one of claim and image"),
        bad(POOL + "  models: [{image: b}]\n", "an image needs a name"),
        bad(POOL + "  models: [{image: b, name: ../c}]\n", "use 1 to 40 of a-z, 0-9 and '-'"),
        bad(
            POOL + "  models: [{image: b, name: c, pullPolicy: Often}]\n",
            "one of Always, IfNotPresent, Never"));
  }

  private static Arguments bad(String manifest, String message) {
    return Arguments.of(manifest, message);
  }

  private static String source(String uri) {
    return FUNCTION.replace("file:/models/mine.gguf", uri);
  }

  @ParameterizedTest
  @MethodSource("badManifests")
  void refusesInWordsThatHelp(String manifest, String message) {
    assertThatExceptionOfType(KubernetesClientException.class)
        .isThrownBy(() -> offer(manifest))
        .withMessageContaining(message);
  }

  @Test
  void tellsWhatMembersMean() throws Exception {
    String told = client.raw("/openapi/v3/apis/weft.dev/v1alpha1");
    assertThat(told).contains("where its files are, tried in order", "5m when left out");
  }
}
