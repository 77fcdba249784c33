package dev.weft.platform.cluster.model;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.cluster.DevicePoolSpec;
import dev.weft.functions.cluster.DevicePoolSpec.Cache;
import dev.weft.functions.cluster.DevicePoolSpec.Credentials;
import dev.weft.functions.cluster.DevicePoolSpec.ModelVolume;
import dev.weft.functions.cluster.DevicePoolSpec.PoolResources;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.EnvFromSource;
import io.fabric8.kubernetes.api.model.EnvFromSourceBuilder;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.EnvVarBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.LocalObjectReference;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.PodSecurityContextBuilder;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.PodTemplateSpecBuilder;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.ProbeBuilder;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import io.fabric8.kubernetes.api.model.ResourceRequirementsBuilder;
import io.fabric8.kubernetes.api.model.TolerationBuilder;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeBuilder;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.VolumeMountBuilder;
import io.fabric8.kubernetes.api.model.apps.DaemonSetBuilder;
import io.fabric8.kubernetes.api.model.apps.DeploymentBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The DaemonSet or Deployment of a pool: one runtime a pod, one device a runtime. Its pods are
/// admitted under the Pod Security level `restricted`, unless the pool asks for a path of the node.
public final class RuntimeWorkload {
  /// Where a runtime listens.
  public static final int PORT = 7_001;

  static final String PORT_NAME = "http";
  private static final String HOME = "/var/lib/weft";
  private static final String SECRETS = "/etc/weft/runtime";
  private static final String REGISTRIES = "/etc/weft/registries";
  private static final String POOL_LABEL = "weft.dev/pool";

  /// Longer than the 25 s that a runtime gives its requests at its end.
  private static final long GRACE_SECONDS = 60;

  private RuntimeWorkload() {}

  /// What all pools of an installation have in common.
  ///
  /// @param name of the installation
  /// @param image of this kind of device, where the pool names none
  /// @param secret the name of the Secret with the runtimes' secret
  /// @param fsGroup the group that volumes belong to; empty where the cluster chooses
  public record Installation(
      String name,
      String namespace,
      Optional<String> image,
      String pullPolicy,
      List<String> pullSecrets,
      String secret,
      Optional<String> serviceAccount,
      OptionalLong fsGroup) {
    public Installation {
      pullSecrets = List.copyOf(pullSecrets);
    }
  }

  /// A pool's name for its workload, and what its pods' names begin with.
  public static String name(Installation installation, String pool) {
    return installation.name() + "-" + pool;
  }

  /// The labels by which the runtimes of an installation, and their workloads, are found.
  public static Map<String, String> selector(String installation) {
    return Map.of(
        "app.kubernetes.io/instance", installation, "app.kubernetes.io/component", "runtime");
  }

  /// The labels by which a pool's pods are found.
  public static Map<String, String> selector(Installation installation, String pool) {
    Map<String, String> selector = new TreeMap<>(selector(installation.name()));
    selector.put(POOL_LABEL, pool);
    return selector;
  }

  /// Throws [IllegalArgumentException] when there is no image to run.
  public static HasMetadata of(
      Installation installation, String pool, DevicePoolSpec spec, OwnerReference owner) {
    Map<String, String> selector = selector(installation, pool);
    ObjectMeta metadata =
        new ObjectMetaBuilder()
            .withName(name(installation, pool))
            .withNamespace(installation.namespace())
            .withLabels(labels(selector))
            .withOwnerReferences(owner)
            .build();
    PodTemplateSpec template = template(installation, spec, selector);
    if (spec.byNumber()) {
      Integer replicas = spec.replicas();
      return new DeploymentBuilder()
          .withMetadata(metadata)
          .withNewSpec()
          .withReplicas(replicas == null ? 1 : replicas)
          .withNewSelector()
          .withMatchLabels(selector)
          .endSelector()
          .withNewStrategy()
          .withType("RollingUpdate")
          .withNewRollingUpdate()
          .withMaxUnavailable(new IntOrString(1))
          .withMaxSurge(new IntOrString(0))
          .endRollingUpdate()
          .endStrategy()
          .withTemplate(template)
          .endSpec()
          .build();
    }
    return new DaemonSetBuilder()
        .withMetadata(metadata)
        .withNewSpec()
        .withNewSelector()
        .withMatchLabels(selector)
        .endSelector()
        .withNewUpdateStrategy()
        .withType("RollingUpdate")
        .withNewRollingUpdate()
        .withMaxUnavailable(new IntOrString(1))
        .endRollingUpdate()
        .endUpdateStrategy()
        .withTemplate(template)
        .endSpec()
        .build();
  }

  private static Map<String, String> labels(Map<String, String> selector) {
    Map<String, String> labels = new TreeMap<>(selector);
    labels.put("app.kubernetes.io/name", "weft");
    labels.put("app.kubernetes.io/managed-by", "weft");
    return labels;
  }

  private static PodTemplateSpec template(
      Installation installation, DevicePoolSpec spec, Map<String, String> selector) {
    return new PodTemplateSpecBuilder()
        .withNewMetadata()
        .withLabels(labels(selector))
        .endMetadata()
        .withNewSpec()
        .withServiceAccountName(installation.serviceAccount().orElse(null))
        .withAutomountServiceAccountToken(false)
        .withEnableServiceLinks(false)
        .withTerminationGracePeriodSeconds(GRACE_SECONDS)
        .withRuntimeClassName(spec.runtimeClassName())
        .withPriorityClassName(spec.priorityClassName())
        .withNodeSelector(spec.nodeSelector())
        .withTolerations(tolerations(spec))
        .withImagePullSecrets(
            installation.pullSecrets().stream().map(LocalObjectReference::new).toList())
        .withSecurityContext(
            new PodSecurityContextBuilder()
                .withRunAsNonRoot(true)
                .withFsGroup(
                    installation.fsGroup().isPresent() ? installation.fsGroup().getAsLong() : null)
                .withNewSeccompProfile()
                .withType("RuntimeDefault")
                .endSeccompProfile()
                .build())
        .withContainers(container(installation, spec))
        .withVolumes(volumes(installation, spec))
        .endSpec()
        .build();
  }

  private static Container container(Installation installation, DevicePoolSpec spec) {
    String image =
        Optional.ofNullable(spec.image())
            .or(installation::image)
            .orElseThrow(() ->
                new IllegalArgumentException(
                    "there is no image for pools of %s: set image, or the chart's"
                        .formatted(spec.device())));
    return new ContainerBuilder()
        .withName("runtime")
        .withImage(image)
        .withImagePullPolicy(installation.pullPolicy())
        .withArgs(
            "--device",
            "$(POD_NAME)",
            "--host",
            "0.0.0.0",
            "--port",
            String.valueOf(PORT),
            "--home",
            HOME,
            "--secret-file",
            SECRETS + "/secret")
        .withEnvFrom(environment(spec))
        .withEnv(variables(spec))
        .addNewPort()
        .withName(PORT_NAME)
        .withContainerPort(PORT)
        .endPort()
        .withResources(resources(spec))
        .withNewSecurityContext()
        .withAllowPrivilegeEscalation(false)
        .withReadOnlyRootFilesystem(true)
        .withNewCapabilities()
        .withDrop("ALL")
        .endCapabilities()
        .endSecurityContext()
        .withStartupProbe(probe(2, 60))
        .withReadinessProbe(probe(2, 2))
        // The runtime says that it is not well after 5 s without a turn of its engine.
        .withLivenessProbe(probe(5, 3))
        .withVolumeMounts(mounts(spec))
        .build();
  }

  /// What a pool's Secret says; the variables of the runtime itself take precedence.
  private static List<EnvFromSource> environment(DevicePoolSpec spec) {
    Credentials credentials = spec.credentials();
    String secret = credentials == null ? null : credentials.environmentSecret();
    return secret == null
        ? List.of()
        : List.of(
            new EnvFromSourceBuilder().withNewSecretRef().withName(secret).endSecretRef().build());
  }

  private static List<EnvVar> variables(DevicePoolSpec spec) {
    List<EnvVar> variables = new ArrayList<>();
    variables.add(
        new EnvVarBuilder()
            .withName("POD_NAME")
            .withNewValueFrom()
            .withNewFieldRef()
            .withFieldPath("metadata.name")
            .endFieldRef()
            .endValueFrom()
            .build());
    variables.add(variable("WEFT_HOME", HOME));
    if (registrySecret(spec) != null) {
      variables.add(variable("DOCKER_CONFIG", REGISTRIES));
    }
    return variables;
  }

  private static EnvVar variable(String name, String value) {
    return new EnvVarBuilder().withName(name).withValue(value).build();
  }

  private static @Nullable String registrySecret(DevicePoolSpec spec) {
    Credentials credentials = spec.credentials();
    return credentials == null ? null : credentials.registrySecret();
  }

  private static Probe probe(int periodSeconds, int failures) {
    return new ProbeBuilder()
        .withNewHttpGet()
        .withPath("/health")
        .withPort(new IntOrString(PORT_NAME))
        .endHttpGet()
        .withPeriodSeconds(periodSeconds)
        .withTimeoutSeconds(2)
        .withFailureThreshold(failures)
        .build();
  }

  private static ResourceRequirements resources(DevicePoolSpec spec) {
    Map<String, Quantity> amounts = new TreeMap<>();
    PoolResources given = spec.resources();
    if (given != null) {
      put(amounts, "cpu", given.cpu());
      put(amounts, "memory", given.memory());
    }
    if (spec.device() == DeviceClass.GPU) {
      String resource = given == null ? null : given.gpuResource();
      Integer cards = given == null ? null : given.gpus();
      amounts.put(
          Objects.requireNonNullElse(resource, "nvidia.com/gpu"),
          new Quantity(String.valueOf(cards == null ? 1 : cards)));
    }
    return amounts.isEmpty()
        ? new ResourceRequirements()
        : new ResourceRequirementsBuilder().withRequests(amounts).withLimits(amounts).build();
  }

  private static void put(Map<String, Quantity> amounts, String name, @Nullable String amount) {
    if (amount != null) {
      amounts.put(name, new Quantity(amount));
    }
  }

  private static List<io.fabric8.kubernetes.api.model.Toleration> tolerations(DevicePoolSpec spec) {
    List<DevicePoolSpec.Toleration> given = spec.tolerations();
    return given == null
        ? List.of()
        : given.stream()
            .map(each ->
                new TolerationBuilder()
                    .withKey(each.key())
                    .withOperator(each.operator())
                    .withValue(each.value())
                    .withEffect(each.effect())
                    .build())
            .toList();
  }

  private static List<Volume> volumes(Installation installation, DevicePoolSpec spec) {
    List<Volume> volumes = new ArrayList<>();
    volumes.add(home(spec.cache()));
    volumes.add(new VolumeBuilder().withName("tmp").withNewEmptyDir().endEmptyDir().build());
    volumes.add(
        new VolumeBuilder()
            .withName("secret")
            .withNewSecret()
            .withSecretName(installation.secret())
            .addNewItem()
            .withKey("secret")
            .withPath("secret")
            .endItem()
            .endSecret()
            .build());
    String registries = registrySecret(spec);
    if (registries != null) {
      volumes.add(
          new VolumeBuilder()
              .withName("registries")
              .withNewSecret()
              .withSecretName(registries)
              .addNewItem()
              .withKey(".dockerconfigjson")
              .withPath("config.json")
              .endItem()
              .endSecret()
              .build());
    }
    models(spec).forEach(model -> volumes.add(volume(model)));
    return volumes;
  }

  private static Volume volume(ModelVolume model) {
    VolumeBuilder volume = new VolumeBuilder().withName("models-" + model.called());
    return model.image() == null
        ? volume.withNewPersistentVolumeClaim(model.claim(), true).build()
        : volume
            .withNewImage()
            .withReference(model.image())
            .withPullPolicy(model.pullPolicy())
            .endImage()
            .build();
  }

  private static Volume home(@Nullable Cache cache) {
    VolumeBuilder volume = new VolumeBuilder().withName("home");
    if (cache != null && cache.claim() != null) {
      return volume.withNewPersistentVolumeClaim(cache.claim(), false).build();
    }
    if (cache != null && cache.hostPath() != null) {
      return volume.withNewHostPath(cache.hostPath(), "DirectoryOrCreate").build();
    }
    String size = cache == null ? null : cache.size();
    return volume
        .withNewEmptyDir()
        .withSizeLimit(size == null ? null : new Quantity(size))
        .endEmptyDir()
        .build();
  }

  private static List<VolumeMount> mounts(DevicePoolSpec spec) {
    List<VolumeMount> mounts = new ArrayList<>();
    mounts.add(mount("home", HOME, false));
    mounts.add(mount("tmp", "/tmp", false));
    mounts.add(mount("secret", SECRETS, true));
    if (registrySecret(spec) != null) {
      mounts.add(mount("registries", REGISTRIES, true));
    }
    models(spec)
        .forEach(each -> mounts.add(mount("models-" + each.called(), each.mountPath(), true)));
    return mounts;
  }

  private static VolumeMount mount(String name, String path, boolean readOnly) {
    return new VolumeMountBuilder()
        .withName(name)
        .withMountPath(path)
        .withReadOnly(readOnly ? true : null)
        .build();
  }

  private static List<ModelVolume> models(DevicePoolSpec spec) {
    List<ModelVolume> models = spec.models();
    return models == null ? List.of() : models;
  }
}
