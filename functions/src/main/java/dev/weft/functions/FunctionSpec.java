package dev.weft.functions;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a function is and how it is to be run. `model` is the first member of a tagged union: a
/// function has exactly one of the members that say what it does, and later kinds stand beside
/// `model`.
///
/// @param model the model that answers; the adapter's own files where there is `adapterOf`
/// @param adapterOf the function whose model this one adapts: `model` is then a low-rank adapter
///   (LoRA) of it, which runs in the same steps. Quantization, kvCache, devices and context length
///   are the base's
/// @param quantization how the weights are held on a device
/// @param kvCache how the keys and values of a generation's tokens are held on a device
/// @param serviceLevel the latency that callers are promised, and how much that counts
/// @param scaling how many instances there are, and for how long
/// @param devices the kinds of device that the function may be placed on; all when left out
/// @param limits bounds on what callers may ask for at once
public record FunctionSpec(
    Model model,
    @Nullable FunctionName adapterOf,
    Quantization quantization,
    KvCache kvCache,
    ServiceLevel serviceLevel,
    Scaling scaling,
    Set<DeviceClass> devices,
    Limits limits) {
  public FunctionSpec {
    if (model == null) {
      throw new InvalidManifestException(
          "spec.model", "missing: say which model the function serves");
    }
    quantization = quantization == null ? Quantization.AUTO : quantization;
    kvCache = kvCache == null ? KvCache.AUTO : kvCache;
    serviceLevel = serviceLevel == null ? ServiceLevel.DEFAULT : serviceLevel;
    scaling = scaling == null ? Scaling.DEFAULT : scaling;
    if (devices != null && devices.stream().anyMatch(Objects::isNull)) {
      throw new InvalidManifestException("spec.devices", "a device without a name");
    }
    devices =
        Collections.unmodifiableSet(
            devices == null || devices.isEmpty()
                ? EnumSet.allOf(DeviceClass.class)
                : EnumSet.copyOf(devices));
    limits = limits == null ? Limits.DEFAULT : limits;
    if (adapterOf != null) {
      refuseWhatIsTheBases(model, quantization, kvCache, devices);
    }
  }

  private static void refuseWhatIsTheBases(
      Model model, Quantization quantization, KvCache kvCache, Set<DeviceClass> devices) {
    if (model.kind() == Model.Kind.EMBEDDING) {
      throw new InvalidManifestException(
          "spec.model.kind", "an adapter generates text; embedding models have none");
    }
    refuse("spec.model.contextLength", model.contextLength() != null);
    refuse("spec.quantization", quantization != Quantization.AUTO);
    refuse("spec.kvCache", kvCache != KvCache.AUTO);
    refuse("spec.devices", devices.size() < DeviceClass.values().length);
  }

  private static void refuse(String field, boolean given) {
    if (given) {
      throw new InvalidManifestException(field, "leave it out: an adapter has its base's");
    }
  }

  /// The same as an adapter of a function of that name.
  public FunctionSpec withAdapterOf(FunctionName base) {
    return new FunctionSpec(
        model, base, quantization, kvCache, serviceLevel, scaling, devices, limits);
  }

  public static FunctionSpec of(Model model) {
    return new FunctionSpec(
        model,
        null,
        Quantization.AUTO,
        KvCache.AUTO,
        ServiceLevel.DEFAULT,
        Scaling.DEFAULT,
        Set.of(),
        Limits.DEFAULT);
  }
}
