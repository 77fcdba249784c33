package dev.weft.functions;

import java.util.EnumSet;
import java.util.Set;

/// What a function is and how it is to be run. `model` is the first member of a tagged union: a
/// function has exactly one of the members that say what it does, and later kinds stand beside
/// `model`.
public record FunctionSpec(
    Model model,
    Quantization quantization,
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
    serviceLevel = serviceLevel == null ? ServiceLevel.DEFAULT : serviceLevel;
    scaling = scaling == null ? Scaling.DEFAULT : scaling;
    devices =
        devices == null || devices.isEmpty()
            ? EnumSet.allOf(DeviceClass.class)
            : EnumSet.copyOf(devices);
    devices = Set.copyOf(devices);
    limits = limits == null ? Limits.DEFAULT : limits;
  }

  public static FunctionSpec of(Model model) {
    return new FunctionSpec(
        model, Quantization.AUTO, ServiceLevel.DEFAULT, Scaling.DEFAULT, Set.of(), Limits.DEFAULT);
  }
}
