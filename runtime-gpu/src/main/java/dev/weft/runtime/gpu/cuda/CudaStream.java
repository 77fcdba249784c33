package dev.weft.runtime.gpu.cuda;

import java.lang.foreign.MemorySegment;

/// An order of work on the device: what is submitted to it runs after what was submitted before.
/// Everything here submits and returns, but for [#synchronize].
public final class CudaStream implements AutoCloseable {
  private static final int NON_BLOCKING = 1;
  private static final int RELAXED = 2;

  private final CudaDriver driver;
  private final long handle;
  private boolean closed;

  public CudaStream(CudaContext context) {
    driver = context.driver();
    handle = driver.streamCreate(NON_BLOCKING);
  }

  /// `CUstream`, for libraries of NVIDIA's that submit to it.
  public long handle() {
    return handle;
  }

  CudaDriver driver() {
    return driver;
  }

  /// Waits until it is empty. What failed of it is thrown here.
  public void synchronize() {
    driver.streamSynchronize(handle);
  }

  /// @param from pinned, and unchanged until the copy is done; or the call waits for it
  public void copyToDevice(MemorySegment from, long to) {
    if (from.byteSize() > 0) {
      driver.memcpyHtoDAsync(to, from, handle);
    }
  }

  public void copyToHost(long from, MemorySegment to) {
    if (to.byteSize() > 0) {
      driver.memcpyDtoHAsync(to, from, handle);
    }
  }

  public void copyOnDevice(long from, long to, long byteSize) {
    driver.memcpyDtoDAsync(to, from, byteSize, handle);
  }

  public void clear(long address, long byteSize) {
    driver.memsetD8Async(address, (byte) 0, byteSize, handle);
  }

  /// Later work waits for the event, on the device.
  public void waitFor(CudaEvent event) {
    driver.streamWaitEvent(handle, event.handle());
  }

  /// Submits what `work` submits to this stream, as a graph to launch any number of times.
  public CudaGraph capture(Runnable work) {
    driver.streamBeginCapture(handle, RELAXED);
    long graph;
    try {
      work.run();
    } finally {
      // Ends a capture whose work failed as well: the stream is of no use before.
      graph = driver.streamEndCapture(handle);
    }
    try {
      return new CudaGraph(driver, driver.graphInstantiate(graph));
    } finally {
      driver.graphDestroy(graph);
    }
  }

  public void launch(CudaGraph graph) {
    driver.graphLaunch(graph.handle(), handle);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.streamDestroy(handle);
    }
  }
}
