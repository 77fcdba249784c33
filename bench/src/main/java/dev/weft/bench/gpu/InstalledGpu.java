package dev.weft.bench.gpu;

import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.GpuHost;
import dev.weft.runtime.gpu.HostMemoryLimit;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.kernels.CachedKernels;
import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.nio.file.Path;

/// The first GPU of this machine.
///
/// @param kernels where compiled kernels are kept
record InstalledGpu(CudaDriver driver, Nvrtc nvrtc, Path kernels) implements Gpu {
  private static final int EXIT_DEVICE_LOST = 3;

  /// @throws dev.weft.runtime.foreign.NativeException when there is none; the message says what to
  ///   do
  static InstalledGpu find(Path kernels) {
    CudaDriver driver = GpuHost.open(0);
    return new InstalledGpu(driver, GpuHost.compiler(driver, System.getenv()), kernels);
  }

  /// Such as `NVIDIA H200, sm_90, 132 multiprocessors, 139.8 GiB, CUDA 13.0, NVRTC 13.0`.
  String description() {
    return GpuHost.probe() instanceof GpuHost.Devices(String cuda, var gpus)
        ? "%s, %s, %d multiprocessors, %.1f GiB, driver of CUDA %s, NVRTC %s"
            .formatted(
                gpus.getFirst().name(),
                gpus.getFirst().architecture(),
                gpus.getFirst().multiprocessors(),
                gpus.getFirst().memoryBytes() / (double) (1L << 30),
                cuda,
                nvrtc.version())
        : "unknown";
  }

  String name() {
    return driver.deviceGetName(driver.deviceGet(0));
  }

  /// A lost device ends this part's process; the next part has one of its own.
  @Override
  public GpuBackend open(HostMemoryLimit limit) {
    return new GpuBackend(
        driver,
        0,
        new CachedKernels(kernels, () -> nvrtc),
        lost -> {
          System.err.println("lost the GPU: " + lost.getMessage());
          Runtime.getRuntime().halt(EXIT_DEVICE_LOST);
        },
        limit);
  }

  @Override
  public double readCeiling() {
    return new ReadCeiling(driver, nvrtc).bytesPerSecond();
  }
}
