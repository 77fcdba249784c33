package dev.weft.runtime.gpu.cuda;

/// A kernel of a loaded module.
public final class CudaKernel {
  private final CudaDriver driver;
  private final String name;
  private final long handle;

  CudaKernel(CudaDriver driver, String name, long handle) {
    this.driver = driver;
    this.name = name;
    this.handle = handle;
  }

  public String name() {
    return name;
  }

  /// Submits it to a stream.
  public void launch(CudaStream stream, LaunchGrid grid, LaunchParameters parameters) {
    driver.launchKernelEx(parameters.config(grid, stream), handle, parameters.pointers());
  }
}
