package dev.weft.runtime.gpu;

import java.util.Locale;

/// Prints the GPUs of this host, one a line, or why there are none.
public final class Main {
  private static final int NO_DRIVER = 1;

  private Main() {}

  public static void main(String[] arguments) {
    switch (GpuHost.probe()) {
      case GpuHost.NoDriver(String reason) -> {
        System.err.println("no usable NVIDIA driver: " + reason);
        System.err.println("Install the driver (560 or newer), or mount it into the container.");
        System.exit(NO_DRIVER);
      }
      case GpuHost.Devices(String cuda, var gpus) -> {
        for (GpuHost.Gpu gpu : gpus) {
          System.out.printf(
              Locale.ROOT,
              "%d %s, %s, %d multiprocessors, %.1f GiB, CUDA %s%n",
              gpu.index(),
              gpu.name(),
              gpu.architecture(),
              gpu.multiprocessors(),
              gpu.memoryBytes() / (double) (1L << 30),
              cuda);
        }
      }
    }
  }
}
