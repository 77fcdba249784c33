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
import dev.weft.runtime.gpu.kernels.KernelUnit;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// One GPU with its kernels, and the stream that all steps are submitted to.
final class GpuDevice implements AutoCloseable {
  /// Of what kernels use: tensor cores for bfloat16, copies to shared memory, and more.
  private static final int LEAST_CAPABILITY = 80;

  /// From here on, kernels can begin before the one in front has ended.
  private static final int EARLY_CAPABILITY = 90;

  private final CudaContext context;
  private final CudaStream stream;
  private final CudaStream out;
  private final CudaStream in;
  private final KernelCompiler compiler;
  private final String architecture;
  private final boolean startsEarly;
  private final Map<KernelUnit, CudaModule> modules = new ConcurrentHashMap<>();
  private final Map<String, CudaKernel> kernels = new ConcurrentHashMap<>();
  private final Consumer<CudaException> onLost;
  private final String name;
  private final int multiprocessors;

  /// @param index in the driver's order
  /// @param onLost told when the device can no longer be used by this process
  GpuDevice(CudaDriver driver, int index, KernelCompiler compiler, Consumer<CudaException> onLost) {
    this.onLost = onLost;
    this.compiler = compiler;
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
      architecture = KernelSource.architecture(capability);
      startsEarly = capability >= EARLY_CAPABILITY;
      stream = new CudaStream(context);
      out = new CudaStream(context);
      in = new CudaStream(context);
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

  /// For copies to the host that run beside steps.
  CudaStream out() {
    return out;
  }

  /// For copies from the host that run beside steps.
  CudaStream in() {
    return in;
  }

  /// Whether kernels can begin before the one in front has ended.
  boolean startsEarly() {
    return startsEarly;
  }

  /// Whether neighbouring blocks can run at the same time and reach each other's shared memory: as
  /// of the same capability.
  boolean runsTogether() {
    return startsEarly;
  }

  /// Whether it runs wide products.
  boolean runsWide() {
    return KernelUnit.wide().getFirst().compilesFor(architecture);
  }

  /// Compiles units, all at once, and loads them: what has not been asked for here is compiled when
  /// its first kernel is.
  void load(Collection<KernelUnit> units) {
    Map<KernelUnit, byte[]> compiled = new ConcurrentHashMap<>();
    units.parallelStream()
        .filter(unit -> !modules.containsKey(unit))
        .forEach(unit -> compiled.put(unit, compiler.compile(unit, architecture)));
    compiled.forEach(
        (unit, cubin) -> modules.computeIfAbsent(unit, _ -> new CudaModule(context, cubin)));
  }

  CudaKernel kernel(KernelUnit unit, String kernelName) {
    return kernels.computeIfAbsent(
        kernelName,
        known -> {
          load(List.of(unit));
          return Objects.requireNonNull(modules.get(unit)).kernel(known);
        });
  }

  /// Does some work, and tells of an error after which no call succeeds any more; any other is the
  /// caller's alone.
  <T> T watched(Supplier<T> work) {
    try {
      return work.get();
    } catch (CudaException e) {
      if (e.sticky()) {
        onLost.accept(e);
      }
      throw e;
    }
  }

  @Override
  public void close() {
    context.bind();
    stream.close();
    out.close();
    in.close();
    modules.values().forEach(CudaModule::close);
    context.close();
  }
}
