package dev.weft.runtime.gpu;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.kernels.CachedKernels;
import dev.weft.runtime.gpu.kernels.KernelCompiler;
import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.nio.file.Path;

/// The first GPU of this machine, for tests that need one.
public final class RealGpu {
  private RealGpu() {}

  /// Whether there is one that can be used. A test that asks is skipped otherwise.
  public static boolean isThere() {
    try {
      return CudaDriver.open().deviceGetCount() > 0 && Held.NVRTC != null;
    } catch (NativeException | CudaException | ExceptionInInitializerError e) {
      return false;
    }
  }

  private static final class Held {
    static final Nvrtc NVRTC = Nvrtc.find(System.getenv());
  }

  /// Kept beside the build's other results.
  static KernelCompiler kernels() {
    return new CachedKernels(Path.of("target", "kernels"), () -> Held.NVRTC);
  }

  static GpuBackend backend() {
    return new GpuBackend(CudaDriver.open(), 0, kernels(), _ -> {});
  }
}
