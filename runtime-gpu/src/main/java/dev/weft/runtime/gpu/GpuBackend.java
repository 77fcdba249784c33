package dev.weft.runtime.gpu;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.HostTier;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.TextBatch;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.kernels.KernelCompiler;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.gpu.memory.CudaChunkMemory;
import dev.weft.runtime.gpu.memory.HostImages;
import dev.weft.runtime.gpu.memory.PinnedSlabs;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/// Runs decoders and encoders on one NVIDIA GPU, with kernels of its own.
///
/// Weights keep their files' bit width and are decoded where they are multiplied: those of float32
/// with float32, all others as bfloat16 with activations in bfloat16, summed in float32; keys and
/// values are float16, or int8 where that is asked for. **A row's result does not depend on its
/// batch or its chunk**: every sum has one order, whatever runs beside it, and whatever adapters
/// its neighbours have.
public final class GpuBackend implements Backend {
  private static final Set<Quantization> QUANTIZATIONS =
      Set.copyOf(EnumSet.of(Quantization.NONE, Quantization.AUTO));

  /// Of what is free at the start: the driver takes some for kernels and their stacks, and so do
  /// logits that are asked for in large numbers.
  private static final double CAPACITY_SHARE = 0.9;

  /// What kernels read at once.
  private static final int UNIT = 8;

  /// What a block of `normalize_8` of `decoder.cuh` holds.
  private static final int MOST_HIDDEN_SIZE = 16_384;

  /// `STATE_FOURS` of `encoder.cuh` times its threads.
  private static final int MOST_STATE_SIZE = 8_192;

  private final GpuDevice device;
  private final HostImages images;
  private final PinnedSlabs slabs;
  private final long mostPartialBytes;
  private final WeightLoader loader;

  /// All that were opened, closed ones among them.
  private final List<CudaChunkMemory> memories = new CopyOnWriteArrayList<>();

  /// Opens a GPU that keeps nothing in the host's memory.
  public GpuBackend(
      CudaDriver driver, int index, KernelCompiler compiler, Consumer<CudaException> onLost) {
    this(driver, index, compiler, onLost, HostMemoryLimit.NONE);
  }

  /// Opens a GPU.
  ///
  /// @param index in the driver's order
  /// @param onLost told, by the thread that found out, when the device can no longer be used by
  ///   this process, which has to end
  /// @param memory for weights and for KV blocks, of the host's
  public GpuBackend(
      CudaDriver driver,
      int index,
      KernelCompiler compiler,
      Consumer<CudaException> onLost,
      HostMemoryLimit memory) {
    this(driver, index, compiler, onLost, memory, AttentionWork.MOST_PARTIAL_BYTES);
  }

  /// @param mostPartialBytes of attention that are merged
  GpuBackend(
      CudaDriver driver,
      int index,
      KernelCompiler compiler,
      Consumer<CudaException> onLost,
      HostMemoryLimit memory,
      long mostPartialBytes) {
    this.mostPartialBytes = mostPartialBytes;
    device = new GpuDevice(driver, index, compiler, onLost);
    images = new HostImages(device.context(), memory.bytes(), memory.slabBytes());
    slabs = new PinnedSlabs(device.context(), memory.swapBytes(), memory.slabBytes());
    loader =
        new WeightLoader(
            device, images, () -> memories.stream().mapToLong(CudaChunkMemory::trim).sum());
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
            WeightLoader.bytes(weights, model(spec)),
            GpuDecoder.scratchBytes(
                new AttentionWork(decoder, mostPartialBytes), options, options.maxBatchTokens()),
            GpuKvLayout.of(decoder, options.kvType()).layout());
      }
      case EncoderSpec encoder -> {
        requireSupported(encoder, options);
        yield new Footprint(
            WeightLoader.bytes(weights, model(spec)),
            EncoderScratch.bytes(encoder, options, TextBatch.mostRows(encoder, options)),
            KvLayout.NONE);
      }
    };
  }

  /// Gives each tensor of a model its place.
  private static WeightLoader.Model<?> model(ModelSpec spec) {
    return switch (spec) {
      case DecoderSpec decoder -> layout -> GpuWeights.lay(decoder, layout);
      case EncoderSpec encoder -> layout -> EncoderWeights.lay(encoder, layout);
    };
  }

  private static void requireSupported(DecoderSpec spec, CompileOptions options) {
    requireSupported(options);
    requireSizes(spec.hiddenSize(), spec.intermediateSize(), spec.headSize());
    requireAtMost("hidden size", spec.hiddenSize(), MOST_HIDDEN_SIZE);
    requireAtMost("vocabulary", spec.vocabularySize(), StepSampling.MOST_TOKENS);
  }

  private static void requireSupported(EncoderSpec spec, CompileOptions options) {
    requireSupported(options);
    requireSizes(spec.hiddenSize(), spec.intermediateSize(), spec.headSize());
    requireAtMost("hidden size", spec.hiddenSize(), MOST_STATE_SIZE);
  }

  private static void requireSizes(int hidden, int intermediate, int head) {
    requireUnits("hidden size", hidden);
    requireUnits("intermediate size", intermediate);
    requireUnits("head size", head);
    requireAtMost("head size", head, KernelUnit.mostHeadSize());
  }

  private static void requireSupported(CompileOptions options) {
    switch (options.quantization()) {
      case NONE, AUTO -> {}
      case W8A8, W4A8, FP8 ->
          throw new UnsupportedModelException(
              "this GPU runtime keeps weights as their file has them (quantization none or auto),"
                  + " not "
                  + options.quantization());
    }
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

  /// Weights that are kept in the host's memory.
  HostImages images() {
    return images;
  }

  /// Products alone, for whoever measures them; to be closed before this.
  public GpuProducts products() {
    return new GpuProducts(device);
  }

  /// What models may take of the device when nobody says otherwise, by what is free now.
  public long capacityBytes() {
    device.context().bind();
    return (long) (CAPACITY_SHARE * device.context().driver().memGetInfoFree());
  }

  @Override
  public ChunkMemory openMemory(long bytes) {
    device.context().bind();
    var memory =
        new CudaChunkMemory(
            device.context(), device.stream(), bytes, List.of(device.out(), device.in()));
    memories.add(memory);
    return memory;
  }

  @Override
  public DecoderExecutable compile(
      DecoderSpec spec, Weights weights, CompileOptions options, DecoderMemory memory) {
    requireSupported(spec, options);
    return device.watched(() -> compiled(spec, weights, options, memory));
  }

  private DecoderExecutable compiled(
      DecoderSpec spec, Weights weights, CompileOptions options, DecoderMemory memory) {
    GpuWeights laid = loader.load(weights, layout -> GpuWeights.lay(spec, layout));
    try {
      GpuKvLayout kv = GpuKvLayout.of(spec, options.kvType());
      var attention = new AttentionWork(spec, mostPartialBytes);
      return new GpuDecoder(spec, options, device, laid, kv, attention, memory, loader, slabs);
    } catch (RuntimeException | Error e) {
      laid.close();
      throw e;
    }
  }

  @Override
  public HostTier hostTier() {
    return new HostTier() {
      @Override
      public boolean bring(ModelSpec spec, Weights weights) {
        return weights.files().isEmpty()
            ? HostTier.OF_FILES.bring(spec, weights)
            : device.watched(() -> loader.bring(weights, model(spec)));
      }

      @Override
      public boolean has(List<SourceFile> files, boolean brought) {
        return files.isEmpty() ? brought : images.has(files);
      }
    };
  }

  @Override
  public EncoderExecutable compile(
      EncoderSpec spec, Weights weights, CompileOptions options, Scratch scratch) {
    requireSupported(spec, options);
    return device.watched(() -> {
      EncoderWeights laid = loader.load(weights, layout -> EncoderWeights.lay(spec, layout));
      try {
        return new GpuEncoder(spec, options, device, laid, scratch);
      } catch (RuntimeException | Error e) {
        laid.close();
        throw e;
      }
    });
  }

  @Override
  public void close() {
    images.close();
    slabs.close();
    device.close();
  }
}
