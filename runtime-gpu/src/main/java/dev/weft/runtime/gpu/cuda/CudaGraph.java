package dev.weft.runtime.gpu.cuda;

/// Captured work ([CudaStream#capture]), with the parameters that it was captured with.
public final class CudaGraph implements AutoCloseable {
  private final CudaDriver driver;
  private final long handle;
  private boolean closed;

  CudaGraph(CudaDriver driver, long handle) {
    this.driver = driver;
    this.handle = handle;
  }

  long handle() {
    return handle;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.graphExecDestroy(handle);
    }
  }
}
