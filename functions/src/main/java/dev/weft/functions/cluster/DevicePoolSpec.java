package dev.weft.functions.cluster;

import dev.weft.functions.DeviceClass;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Devices of one kind, and the runtimes that the operator keeps on them: one pod a device.
///
/// @param device the kind of device
/// @param workload whether there is a runtime on every node that fits, or a number of them; a
///   daemonset when left out
/// @param replicas how many runtimes a deployment has; 1 when left out
/// @param nodeSelector labels of the nodes that fit
/// @param tolerations taints of nodes that are no obstacle
/// @param resources what each runtime is given
/// @param runtimeClassName the container runtime's handler, such as `nvidia`
/// @param priorityClassName how much its pods count while nodes are full
/// @param image the runtime's image; the installation's own when left out
/// @param cache where fetched and packed models are kept; in the pod, and lost with it, when left
///   out
/// @param models volumes with models of your own, for `file:` sources
/// @param credentials what sources are fetched with
public record DevicePoolSpec(
    DeviceClass device,
    @Nullable Workload workload,
    @Nullable Integer replicas,
    @Nullable Map<String, String> nodeSelector,
    @Nullable List<Toleration> tolerations,
    @Nullable PoolResources resources,
    @Nullable String runtimeClassName,
    @Nullable String priorityClassName,
    @Nullable String image,
    @Nullable Cache cache,
    @Nullable List<ModelVolume> models,
    @Nullable Credentials credentials) {
  public DevicePoolSpec {
    Objects.requireNonNull(device, "device");
    nodeSelector = nodeSelector == null ? null : Map.copyOf(nodeSelector);
    tolerations = tolerations == null ? null : List.copyOf(tolerations);
    models = models == null ? null : List.copyOf(models);
  }

  /// Whether runtimes are scaled by number rather than by nodes.
  public boolean byNumber() {
    return workload == Workload.DEPLOYMENT;
  }

  /// What keeps runtimes where they belong.
  public enum Workload {
    /// One runtime on every node that fits.
    DAEMONSET,
    /// As many runtimes as `replicas` says.
    DEPLOYMENT
  }

  /// A taint that is no obstacle, as in a pod.
  ///
  /// @param key the taint's key; every taint when left out
  /// @param operator `Equal` or `Exists`
  /// @param value the taint's value
  /// @param effect `NoSchedule`, `PreferNoSchedule` or `NoExecute`; all when left out
  public record Toleration(
      @Nullable String key,
      @Nullable String operator,
      @Nullable String value,
      @Nullable String effect) {}

  /// What a runtime is given. A runtime never gets more than it asked for: limits are requests.
  ///
  /// @param cpu processors, such as `4` or `500m`
  /// @param memory bytes, such as `16Gi`; weights, keys and values have to fit in it on a CPU
  /// @param gpus graphics cards; 1 for a pool of GPUs when left out
  /// @param gpuResource the device plugin's name of them; `nvidia.com/gpu` when left out
  public record PoolResources(
      @Nullable String cpu,
      @Nullable String memory,
      @Nullable Integer gpus,
      @Nullable String gpuResource) {}

  /// Where a runtime keeps models that it fetched.
  ///
  /// @param claim a PersistentVolumeClaim that the pool's pods share
  /// @param hostPath a directory of the node, shared by all pods there; not admitted where Pod
  ///   Security is `restricted` or `baseline`
  /// @param size the most that a cache in the pod may take, such as `20Gi`
  public record Cache(@Nullable String claim, @Nullable String hostPath, @Nullable String size) {}

  /// A volume with models, read only: of a claim, or of an image.
  ///
  /// @param claim the PersistentVolumeClaim
  /// @param image an image or artifact of a registry, which the node fetches; where the cluster has
  ///   image volumes
  /// @param pullPolicy when the node fetches the image: `Always`, `IfNotPresent` or `Never`; the
  ///   cluster's choice when left out
  /// @param name the volume's; the claim's when left out
  /// @param path where runtimes see it; `/models/NAME` when left out
  public record ModelVolume(
      @Nullable String claim,
      @Nullable String image,
      @Nullable String pullPolicy,
      @Nullable String name,
      @Nullable String path) {
    public ModelVolume {
      if ((claim == null) == (image == null)) {
        throw new IllegalArgumentException("spec.models: give one of claim and image");
      }
      if (claim == null && name == null) {
        throw new IllegalArgumentException("spec.models: an image needs a name");
      }
    }

    /// What it is called in the pool.
    public String called() {
      return Objects.requireNonNull(name == null ? claim : name);
    }

    /// Where runtimes see it.
    public String mountPath() {
      return path == null ? "/models/" + called() : path;
    }
  }

  /// What sources are fetched with, in Secrets of the pool's namespace. A runtime reads them at its
  /// start.
  ///
  /// @param environmentSecret its members become variables of the runtime: `HF_TOKEN`,
  ///   `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL_S3` and the like
  /// @param registrySecret one of type `kubernetes.io/dockerconfigjson`, for `oci:` sources
  public record Credentials(@Nullable String environmentSecret, @Nullable String registrySecret) {}
}
