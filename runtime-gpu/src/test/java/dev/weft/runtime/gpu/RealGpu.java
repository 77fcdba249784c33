package dev.weft.runtime.gpu;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.kernels.CachedKernels;
import dev.weft.runtime.gpu.kernels.KernelCompiler;
import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The first GPU of this machine, for tests that need one.
public final class RealGpu {
  private RealGpu() {}

  /// Whether there is one that can be used. A test that asks is skipped otherwise.
  public static boolean isThere() {
    return Held.MISSING.isEmpty();
  }

  /// What there is, or what is missing.
  static String describe() {
    return Held.MISSING.orElseGet(
        () -> "%s, NVRTC %s".formatted(GpuHost.probe(), Held.nvrtc().version()));
  }

  private static final class Held {
    static final Optional<String> MISSING = missing();
    private static @Nullable Nvrtc nvrtc;

    private static Optional<String> missing() {
      try {
        if (CudaDriver.open().deviceGetCount() == 0) {
          return Optional.of("the driver has no device");
        }
        nvrtc = Nvrtc.find(System.getenv());
        return Optional.empty();
      } catch (NativeException | CudaException e) {
        return Optional.of(String.valueOf(e.getMessage()));
      }
    }

    static Nvrtc nvrtc() {
      return Objects.requireNonNull(nvrtc);
    }
  }

  /// Kept beside the build's other results.
  static KernelCompiler kernels() {
    return new CachedKernels(Path.of("target", "kernels"), Held::nvrtc);
  }

  static GpuBackend backend() {
    return backend(AttentionWork.MOST_PARTIAL_BYTES);
  }

  static GpuBackend backend(HostMemoryLimit limit) {
    return new GpuBackend(CudaDriver.open(), 0, kernels(), _ -> {}, limit);
  }

  static GpuBackend backend(long mostPartialBytes) {
    return new GpuBackend(
        CudaDriver.open(), 0, kernels(), _ -> {}, HostMemoryLimit.NONE, mostPartialBytes);
  }
}
