package dev.weft.runtime.gpu;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.cuda.CudaException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a host has for GPU functions to run on, for those who have no driver of their own: a
/// platform asks a process of this runtime.
///
/// @param cudaVersion the newest that the driver serves, such as `13.0`; `null` without a driver
/// @param problem why none of them can be used, and what to do about it; `null` when they can
public record GpuProbe(
    @Nullable String cudaVersion, List<GpuHost.Gpu> gpus, @Nullable String problem) {
  public GpuProbe {
    gpus = List.copyOf(gpus);
  }

  /// Asks the driver, and looks for the compiler.
  static GpuProbe of(Map<String, String> environment) {
    return switch (GpuHost.probe()) {
      case GpuHost.NoDriver(String reason) -> new GpuProbe(null, List.of(), reason);
      case GpuHost.Devices(String cuda, List<GpuHost.Gpu> gpus) when gpus.isEmpty() ->
          new GpuProbe(cuda, gpus, "the driver of NVIDIA has no GPU");
      case GpuHost.Devices(String cuda, List<GpuHost.Gpu> gpus) ->
          new GpuProbe(cuda, gpus, withoutCompiler(environment));
    };
  }

  private static @Nullable String withoutCompiler(Map<String, String> environment) {
    try {
      GpuHost.compiler(GpuHost.open(0), environment);
      return null;
    } catch (NativeException | CudaException e) {
      return String.valueOf(e.getMessage());
    }
  }
}
