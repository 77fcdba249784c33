package dev.weft.runtime.gpu.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Kernels that were compiled together. They are of use until it is closed.
public final class CudaModule implements AutoCloseable {
  private final CudaDriver driver;
  private final long handle;
  private boolean closed;

  /// @param cubin for the context's device
  public CudaModule(CudaContext context, byte[] cubin) {
    driver = context.driver();
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment image = scratch.allocate(cubin.length, Long.BYTES);
      image.copyFrom(MemorySegment.ofArray(cubin));
      handle = driver.moduleLoadData(image);
    }
  }

  public CudaKernel kernel(String name) {
    return new CudaKernel(driver, name, driver.moduleGetFunction(handle, name));
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.moduleUnload(handle);
    }
  }
}
