package dev.weft.runtime.gpu.cuda;

/// A mark in a stream.
public final class CudaEvent implements AutoCloseable {
  private static final int DEFAULT = 0;
  private static final int DISABLE_TIMING = 2;

  private final CudaDriver driver;
  private final long handle;
  private boolean closed;

  private CudaEvent(CudaContext context, int flags) {
    driver = context.driver();
    handle = driver.eventCreate(flags);
  }

  /// One to wait for.
  public static CudaEvent mark(CudaContext context) {
    return new CudaEvent(context, DISABLE_TIMING);
  }

  /// One to measure time with.
  public static CudaEvent timed(CudaContext context) {
    return new CudaEvent(context, DEFAULT);
  }

  long handle() {
    return handle;
  }

  /// Stands from now on behind what was submitted to the stream.
  public void record(CudaStream stream) {
    driver.eventRecord(handle, stream.handle());
  }

  public boolean passed() {
    return driver.eventQuery(handle);
  }

  public void await() {
    driver.eventSynchronize(handle);
  }

  /// Of two timed events that have passed.
  public float millisSince(CudaEvent start) {
    return driver.eventElapsedMillis(start.handle, handle);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.eventDestroy(handle);
    }
  }
}
