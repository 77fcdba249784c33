package dev.weft.runtime.gpu;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.kernels.KernelCompiler;
import dev.weft.runtime.gpu.memory.CudaChunkMemory;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.weights.Weights;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/// Runs decoders on one NVIDIA GPU, with kernels of its own.
///
/// Weights keep their files' bit width and are decoded where they are multiplied; activations are
/// float32, KV is float16. **A row's result does not depend on its batch or its chunk**: every sum
/// has one order, whatever runs beside it.
public final class GpuBackend implements Backend {
  private static final Set<Quantization> QUANTIZATIONS =
      Set.copyOf(EnumSet.of(Quantization.NONE, Quantization.AUTO));

  /// What kernels read at once.
  private static final int UNIT = 8;

  /// The most that a block of the attention kernel has shared memory for.
  private static final int MOST_HEAD_SIZE = 512;

  private final GpuDevice device;

  /// All that were opened, closed ones among them.
  private final List<CudaChunkMemory> memories = new CopyOnWriteArrayList<>();

  /// Opens a GPU.
  ///
  /// @param index in the driver's order
  /// @param onLost told, by the thread that found out, when the device can no longer be used by
  ///   this process, which has to end
  public GpuBackend(
      CudaDriver driver, int index, KernelCompiler compiler, Consumer<CudaException> onLost) {
    device = new GpuDevice(driver, index, compiler, onLost);
  }

  @Override
  public String name() {
    return "gpu (%s)".formatted(device.name());
  }

  @Override
  public DeviceClass deviceClass() {
    return DeviceClass.GPU;
  }

  @Override
  public Set<Quantization> quantizations() {
    return QUANTIZATIONS;
  }

  @Override
  public Footprint footprint(ModelSpec spec, Weights weights, CompileOptions options) {
    return switch (spec) {
      case DecoderSpec decoder -> {
        requireSupported(decoder, options);
        yield new Footprint(
            weightBytes(decoder, weights),
            GpuDecoder.scratchBytes(decoder, options, options.maxBatchTokens()),
            GpuKvLayout.of(decoder).layout());
      }
      case EncoderSpec _ -> throw noEncoders();
    };
  }

  private static long weightBytes(DecoderSpec spec, Weights weights) {
    WeightLayout counting = WeightLayout.counting(weights);
    GpuWeights.lay(spec, counting);
    return counting.bytes();
  }

  private static void requireSupported(DecoderSpec spec, CompileOptions options) {
    switch (options.quantization()) {
      case NONE, AUTO -> {}
      case W8A8, W4A8, FP8 ->
          throw new UnsupportedModelException(
              "this GPU runtime keeps weights as their file has them (quantization none or auto),"
                  + " not "
                  + options.quantization());
    }
    requireUnits("hidden size", spec.hiddenSize());
    requireUnits("intermediate size", spec.intermediateSize());
    requireUnits("head size", spec.headSize());
    if (spec.headSize() > MOST_HEAD_SIZE) {
      throw new UnsupportedModelException(
          "heads of %d elements; this GPU runtime can do up to %d"
              .formatted(spec.headSize(), MOST_HEAD_SIZE));
    }
  }

  private static void requireUnits(String what, int size) {
    if (size % UNIT != 0) {
      throw new UnsupportedModelException(
          "a %s of %d; this GPU runtime needs a multiple of %d".formatted(what, size, UNIT));
    }
  }

  private static UnsupportedModelException noEncoders() {
    return new UnsupportedModelException(
        "this GPU runtime runs no encoders yet; a CPU runtime does");
  }

  /// Bytes of the device's memory that nobody has.
  long freeBytes() {
    device.context().bind();
    return device.context().driver().memGetInfoFree();
  }

  @Override
  public ChunkMemory openMemory(long bytes) {
    device.context().bind();
    var memory = new CudaChunkMemory(device.context(), device.stream(), bytes);
    memories.add(memory);
    return memory;
  }

  @Override
  public DecoderExecutable compile(
      DecoderSpec spec, Weights weights, CompileOptions options, DecoderMemory memory) {
    requireSupported(spec, options);
    try {
      return compiled(spec, weights, options, memory);
    } catch (CudaException e) {
      device.failed(e);
      throw e;
    }
  }

  private DecoderExecutable compiled(
      DecoderSpec spec, Weights weights, CompileOptions options, DecoderMemory memory) {
    device.context().bind();
    DeviceBuffer buffer = allocate(weightBytes(spec, weights));
    try {
      GpuWeights laid = load(spec, weights, buffer);
      return new GpuDecoder(spec, options, device, laid, GpuKvLayout.of(spec), memory);
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  /// Chunks that nobody has are kept; where the rest does not suffice they go.
  private DeviceBuffer allocate(long bytes) {
    try {
      return new DeviceBuffer(device.context(), bytes);
    } catch (CudaException e) {
      if (!e.outOfMemory() || memories.stream().mapToLong(CudaChunkMemory::trim).sum() == 0) {
        throw e;
      }
      return new DeviceBuffer(device.context(), bytes);
    }
  }

  private GpuWeights load(DecoderSpec spec, Weights weights, DeviceBuffer buffer) {
    try (var copier = new WeightLayout.Copier(device, buffer)) {
      return GpuWeights.lay(spec, WeightLayout.copying(weights, copier));
    }
  }

  @Override
  public EncoderExecutable compile(
      EncoderSpec spec, Weights weights, CompileOptions options, Scratch scratch) {
    throw noEncoders();
  }

  @Override
  public void close() {
    device.close();
  }
}
