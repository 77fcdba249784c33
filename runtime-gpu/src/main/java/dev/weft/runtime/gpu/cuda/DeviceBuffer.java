package dev.weft.runtime.gpu.cuda;

/// Memory of the device.
public final class DeviceBuffer implements AutoCloseable {
  private final CudaDriver driver;
  private final long address;
  private final long byteSize;
  private boolean closed;

  public DeviceBuffer(CudaContext context, long byteSize) {
    driver = context.driver();
    this.byteSize = byteSize;
    address = driver.memAlloc(byteSize);
  }

  /// Where it begins, for kernels and copies; aligned to 256 bytes at least.
  public long address() {
    return address;
  }

  public long byteSize() {
    return byteSize;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.memFree(address);
    }
  }
}
