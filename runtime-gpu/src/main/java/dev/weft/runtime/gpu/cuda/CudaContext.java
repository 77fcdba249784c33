package dev.weft.runtime.gpu.cuda;

import dev.weft.runtime.gpu.cuda.CudaDriver.Attribute;

/// The primary context of one device, in which everything of this process is: streams, modules,
/// memory. **thread**: any; a thread is bound to it once, by [#bind].
public final class CudaContext implements AutoCloseable {
  private final CudaDriver driver;
  private final int device;
  private final long handle;
  private boolean closed;

  /// Opens the device with this index.
  public CudaContext(CudaDriver driver, int index) {
    this.driver = driver;
    device = driver.deviceGet(index);
    handle = driver.devicePrimaryCtxRetain(device);
    bind();
  }

  /// Makes it the calling thread's context. Cheap where it is that already.
  public void bind() {
    driver.ctxSetCurrent(handle);
  }

  public CudaDriver driver() {
    return driver;
  }

  /// The device's handle.
  public int device() {
    return device;
  }

  public String deviceName() {
    return driver.deviceGetName(device);
  }

  public int multiprocessors() {
    return driver.deviceGetAttribute(Attribute.MULTIPROCESSOR_COUNT, device);
  }

  /// Ten times the major plus the minor compute capability: 90 on Hopper.
  public int capability() {
    return 10 * driver.deviceGetAttribute(Attribute.COMPUTE_CAPABILITY_MAJOR, device)
        + driver.deviceGetAttribute(Attribute.COMPUTE_CAPABILITY_MINOR, device);
  }

  /// Waits for everything that was submitted.
  public void synchronize() {
    driver.ctxSynchronize();
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      driver.devicePrimaryCtxRelease(device);
    }
  }
}
