package dev.weft.bench.gpu;

import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.HostMemoryLimit;
import dev.weft.runtime.gpu.cuda.CudaDriver;

/// The GPU that is measured, by its index 0.
interface Gpu {
  CudaDriver driver();

  /// Opens the runtime's backend, which keeps so much of weights in the host's memory.
  GpuBackend open(HostMemoryLimit limit);

  /// Bytes a second that a kernel reads which does nothing else, at best.
  double readCeiling();
}
