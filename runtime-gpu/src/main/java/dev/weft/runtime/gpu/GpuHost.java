package dev.weft.runtime.gpu;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaDriver.Attribute;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// What a host has for GPU functions to run on.
public sealed interface GpuHost {
  /// The driver cannot be used; the reason is for people, and says what to do.
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
    return new Devices(
        CudaDriver.versionText(driver.driverGetVersion()),
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

  /// The driver of a host that has a GPU with this index.
  ///
  /// @throws NativeException when it has not, or the driver cannot be used; the message says what
  ///   to do
  static CudaDriver open(int index) {
    CudaDriver driver = CudaDriver.open();
    int count = driver.deviceGetCount();
    if (index >= count) {
      throw new NativeException(
          "GPU " + index, "is not there: the driver has %d, counted from 0".formatted(count));
    }
    return driver;
  }

  /// The compiler whose code this driver runs.
  ///
  /// @throws NativeException when there is none, or it is of a later CUDA than the driver
  static Nvrtc compiler(CudaDriver driver, Map<String, String> environment) {
    Nvrtc nvrtc = Nvrtc.find(environment);
    String version = nvrtc.version();
    int served = driver.driverGetVersion() / 1000;
    if (Integer.parseInt(version.substring(0, version.indexOf('.'))) > served) {
      throw new NativeException(
          "NVRTC " + version,
          "is too new for the driver, which serves CUDA %s: install a newer driver, or NVRTC %d and name it in %s"
              .formatted(
                  CudaDriver.versionText(driver.driverGetVersion()), served, Nvrtc.VARIABLE));
    }
    return nvrtc;
  }
}
