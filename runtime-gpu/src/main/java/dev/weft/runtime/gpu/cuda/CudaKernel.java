package dev.weft.runtime.gpu.cuda;

/// A kernel of a loaded module.
public final class CudaKernel {
  // CUfunction_attribute
  private static final int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;

  /// What a block may have without being asked for.
  private static final int SHARED_BYTES = 48 << 10;

  private final CudaDriver driver;
  private final String name;
  private final long handle;
  private volatile int sharedBytes = SHARED_BYTES;

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
    launch(stream, grid, parameters, false);
  }

  /// Submits it to a stream, where it may begin before the kernel in front of it has ended: it
  /// waits for that itself.
  public void launchEarly(CudaStream stream, LaunchGrid grid, LaunchParameters parameters) {
    launch(stream, grid, parameters, true);
  }

  private void launch(
      CudaStream stream, LaunchGrid grid, LaunchParameters parameters, boolean early) {
    if (grid.sharedBytes() > sharedBytes) {
      driver.funcSetAttribute(handle, MAX_DYNAMIC_SHARED_SIZE_BYTES, grid.sharedBytes());
      sharedBytes = grid.sharedBytes();
    }
    driver.launchKernelEx(parameters.config(grid, stream, early), handle, parameters.pointers());
  }
}
