package dev.weft.runtime.gpu.cuda;

import java.lang.foreign.MemorySegment;

/// Memory of the host that the device copies from and to by itself. Taking it costs about half a
/// second a GiB: once, not a step.
public final class PinnedBuffer implements AutoCloseable {
  private final CudaDriver driver;
  private final MemorySegment segment;
  private boolean closed;

  public PinnedBuffer(CudaContext context, long byteSize) {
    driver = context.driver();
    segment = HostMemory.at(driver.memHostAlloc(byteSize, 0), byteSize);
  }

  public MemorySegment segment() {
    return segment;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.memFreeHost(segment.address());
    }
  }
}
