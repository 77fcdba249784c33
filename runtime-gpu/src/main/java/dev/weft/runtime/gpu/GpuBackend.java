package dev.weft.runtime.gpu;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.HostTier;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.kernels.KernelCompiler;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.gpu.memory.CudaChunkMemory;
import dev.weft.runtime.gpu.memory.HostImages;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Runs decoders on one NVIDIA GPU, with kernels of its own.
///
/// Weights keep their files' bit width and are decoded where they are multiplied: those of float32
/// with float32, all others as bfloat16 with activations in bfloat16, summed in float32; KV is
/// float16. **A row's result does not depend on its batch or its chunk**: every sum has one order,
/// whatever runs beside it.
public final class GpuBackend implements Backend {
  private static final Set<Quantization> QUANTIZATIONS =
      Set.copyOf(EnumSet.of(Quantization.NONE, Quantization.AUTO));

  /// What kernels read at once.
  private static final int UNIT = 8;

  /// `NORM_FOURS` of `decoder.cuh` times its threads.
  private static final int MOST_HIDDEN_SIZE = 16_384;

  private final GpuDevice device;
  private final HostImages images;

  /// All that were opened, closed ones among them.
  private final List<CudaChunkMemory> memories = new CopyOnWriteArrayList<>();

  /// Opens a GPU that keeps no weights in the host's memory.
  public GpuBackend(
      CudaDriver driver, int index, KernelCompiler compiler, Consumer<CudaException> onLost) {
    this(driver, index, compiler, onLost, HostMemoryLimit.NONE);
  }

  /// Opens a GPU.
  ///
  /// @param index in the driver's order
  /// @param onLost told, by the thread that found out, when the device can no longer be used by
  ///   this process, which has to end
  GpuBackend(
      CudaDriver driver,
      int index,
      KernelCompiler compiler,
      Consumer<CudaException> onLost,
      HostMemoryLimit memory) {
    device = new GpuDevice(driver, index, compiler, onLost);
    images = new HostImages(device.context(), memory.bytes(), memory.slabBytes());
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
    requireAtMost("head size", spec.headSize(), KernelUnit.mostHeadSize());
    requireAtMost("hidden size", spec.hiddenSize(), MOST_HIDDEN_SIZE);
  }

  private static void requireAtMost(String what, int size, int most) {
    if (size > most) {
      throw new UnsupportedModelException(
          "a %s of %d; this GPU runtime can do up to %d".formatted(what, size, most));
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

  /// Weights that are kept in the host's memory.
  HostImages images() {
    return images;
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
    return watched(() -> compiled(spec, weights, options, memory));
  }

  /// Tells of a device that is lost, wherever that shows.
  private <T> T watched(Supplier<T> work) {
    try {
      return work.get();
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

  /// By way of an image of them that stays in the host's memory, where there is room for one.
  private GpuWeights load(DecoderSpec spec, Weights weights, DeviceBuffer buffer) {
    List<SourceFile> files = weights.files();
    if (!files.isEmpty()) {
      Optional<HostImages.Image> opened = open(files, buffer.byteSize());
      if (opened.isPresent()) {
        try (HostImages.Image image = opened.get()) {
          return image.whole()
              ? copied(spec, weights, image, buffer)
              : filled(spec, weights, image, buffer);
        }
      }
    }
    try (var staged = new StagedWeights(device, buffer)) {
      return GpuWeights.lay(spec, new WeightLayout(weights, buffer, staged));
    }
  }

  private Optional<HostImages.Image> open(List<SourceFile> files, long bytes) {
    try {
      return images.open(files, bytes);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private static IllegalStateException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new IllegalStateException("interrupted while weights were read", e);
  }

  private GpuWeights copied(
      DecoderSpec spec, Weights weights, HostImages.Image image, DeviceBuffer buffer) {
    try (var stream = new CudaStream(device.context())) {
      image.copy(stream, buffer.address(), buffer.byteSize());
      stream.synchronize();
    }
    return GpuWeights.lay(spec, new WeightLayout(weights, buffer, null));
  }

  private GpuWeights filled(
      DecoderSpec spec, Weights weights, HostImages.Image image, @Nullable DeviceBuffer buffer) {
    try (var sink = new ImagedWeights(device, image, buffer)) {
      GpuWeights laid = GpuWeights.lay(spec, new WeightLayout(weights, buffer, sink));
      sink.finish();
      return laid;
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  @Override
  public HostTier hostTier() {
    return new HostTier() {
      @Override
      public boolean bring(ModelSpec spec, Weights weights) {
        return switch (spec) {
          case DecoderSpec decoder -> watched(() -> bringImage(decoder, weights));
          case EncoderSpec _ -> throw noEncoders();
        };
      }

      @Override
      public boolean has(List<SourceFile> files, boolean brought) {
        return files.isEmpty() ? brought : images.has(files);
      }
    };
  }

  private boolean bringImage(DecoderSpec spec, Weights weights) {
    if (weights.files().isEmpty()) {
      return HostTier.OF_FILES.bring(spec, weights);
    }
    device.context().bind();
    Optional<HostImages.Image> opened = open(weights.files(), weightBytes(spec, weights));
    if (opened.isPresent()) {
      try (HostImages.Image image = opened.get()) {
        if (!image.whole()) {
          filled(spec, weights, image, null);
        }
      }
    }
    return opened.isPresent();
  }

  @Override
  public EncoderExecutable compile(
      EncoderSpec spec, Weights weights, CompileOptions options, Scratch scratch) {
    throw noEncoders();
  }

  @Override
  public void close() {
    images.close();
    device.close();
  }
}
