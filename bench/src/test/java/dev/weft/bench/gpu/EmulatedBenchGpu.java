package dev.weft.bench.gpu;

import dev.weft.runtime.gpu.EmulatedGpu;
import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.HostMemoryLimit;
import dev.weft.runtime.gpu.cuda.CudaDriver;

/// A GPU that this machine's processor emulates: what a part does is tried with it, not how fast.
record EmulatedBenchGpu() implements Gpu {
  static final double READ_CEILING = 1e9;

  @Override
  public CudaDriver driver() {
    return EmulatedGpu.driver();
  }

  @Override
  public GpuBackend open(HostMemoryLimit limit) {
    return new GpuBackend(
        driver(),
        0,
        (_, _) -> new byte[] {0},
        lost -> {
          throw new AssertionError(lost);
        },
        limit);
  }

  @Override
  public double readCeiling() {
    return READ_CEILING;
  }
}
