package dev.weft.bench.gpu.cublas;

import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;

/// cuBLASLt on one device, with memory for what products need beside their operands: one product at
/// a time has it. **thread**: one that the context is bound to.
public final class Cublas implements AutoCloseable {
  /// Twice what its documentation recommends on Hopper.
  private static final long WORKSPACE_BYTES = 64L << 20;

  private final CublasLt library;
  private final DeviceBuffer workspace;
  private final long handle;
  private boolean closed;

  /// @throws dev.weft.runtime.foreign.NativeException when the library cannot use the device
  public Cublas(CublasLt library, CudaContext context) {
    this.library = library;
    handle = library.create();
    try {
      workspace = new DeviceBuffer(context, WORKSPACE_BYTES);
    } catch (RuntimeException | Error e) {
      library.destroy(handle);
      throw e;
    }
  }

  /// Products of so many rows with weights of a shape; to be closed before this.
  public CublasProduct product(int outputs, int inputs, int rows) {
    return new CublasProduct(this, outputs, inputs, rows);
  }

  CublasLt library() {
    return library;
  }

  DeviceBuffer workspace() {
    return workspace;
  }

  long handle() {
    return handle;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      workspace.close();
      library.destroy(handle);
    }
  }
}
