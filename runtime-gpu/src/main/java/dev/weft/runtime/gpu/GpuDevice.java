package dev.weft.runtime.gpu;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.CudaKernel;
import dev.weft.runtime.gpu.cuda.CudaModule;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.kernels.KernelCompiler;
import dev.weft.runtime.gpu.kernels.KernelSource;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/// One GPU with its kernels, and the stream that all steps are submitted to.
final class GpuDevice implements AutoCloseable {
  /// Of what kernels use: 16-byte loads that stay out of the first-level cache, and more.
  private static final int LEAST_CAPABILITY = 80;

  private final CudaContext context;
  private final CudaStream stream;
  private final CudaModule module;
  private final Map<String, CudaKernel> kernels = new ConcurrentHashMap<>();
  private final Consumer<CudaException> onLost;
  private final String name;
  private final int multiprocessors;

  /// @param index in the driver's order
  /// @param onLost told when the device can no longer be used by this process
  GpuDevice(CudaDriver driver, int index, KernelCompiler compiler, Consumer<CudaException> onLost) {
    this.onLost = onLost;
    context = new CudaContext(driver, index);
    try {
      int capability = context.capability();
      if (capability < LEAST_CAPABILITY) {
        throw new NativeException(
            context.deviceName(),
            "has compute capability %d.%d; 8.0 (Ampere) or newer is needed"
                .formatted(capability / 10, capability % 10));
      }
      name = context.deviceName();
      multiprocessors = context.multiprocessors();
      module = new CudaModule(context, compiler.compile(KernelSource.architecture(capability)));
      stream = new CudaStream(context);
    } catch (RuntimeException | Error e) {
      context.close();
      throw e;
    }
  }

  String name() {
    return name;
  }

  int multiprocessors() {
    return multiprocessors;
  }

  CudaContext context() {
    return context;
  }

  CudaStream stream() {
    return stream;
  }

  CudaKernel kernel(String kernelName) {
    return kernels.computeIfAbsent(kernelName, module::kernel);
  }

  /// Tells of an error after which no call succeeds any more; any other is the caller's alone.
  void failed(CudaException e) {
    if (e.sticky()) {
      onLost.accept(e);
    }
  }

  @Override
  public void close() {
    context.bind();
    stream.close();
    module.close();
    context.close();
  }
}
