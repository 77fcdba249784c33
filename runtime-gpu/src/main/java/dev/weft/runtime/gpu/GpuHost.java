package dev.weft.runtime.gpu;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaDriver.Attribute;
import dev.weft.runtime.gpu.cuda.CudaException;
import java.util.List;
import java.util.stream.IntStream;

/// What a host has for GPU functions to run on.
public sealed interface GpuHost {
  /// The driver cannot be used; the reason is for people.
  record NoDriver(String reason) implements GpuHost {}

  /// The driver's devices, in its order.
  ///
  /// @param cudaVersion the newest that the driver serves, such as `13.0`
  record Devices(String cudaVersion, List<Gpu> gpus) implements GpuHost {
    public Devices {
      gpus = List.copyOf(gpus);
    }
  }

  /// One GPU.
  ///
  /// @param architecture what kernels are compiled for, such as `sm_90`
  record Gpu(int index, String name, String architecture, int multiprocessors, long memoryBytes) {}

  /// Asks the driver.
  static GpuHost probe() {
    CudaDriver driver;
    try {
      driver = CudaDriver.open();
    } catch (NativeException | CudaException e) {
      return new NoDriver(String.valueOf(e.getMessage()));
    }
    int version = driver.driverGetVersion();
    return new Devices(
        version / 1000 + "." + version % 1000 / 10,
        IntStream.range(0, driver.deviceGetCount()).mapToObj(index -> gpu(driver, index)).toList());
  }

  private static Gpu gpu(CudaDriver driver, int index) {
    int device = driver.deviceGet(index);
    return new Gpu(
        index,
        driver.deviceGetName(device),
        "sm_%d%d"
            .formatted(
                driver.deviceGetAttribute(Attribute.COMPUTE_CAPABILITY_MAJOR, device),
                driver.deviceGetAttribute(Attribute.COMPUTE_CAPABILITY_MINOR, device)),
        driver.deviceGetAttribute(Attribute.MULTIPROCESSOR_COUNT, device),
        driver.deviceTotalMem(device));
  }
}
