package dev.weft.runtime.cpu;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.backend.TextBatch;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.cpu.memory.MemoryFile;
import dev.weft.runtime.cpu.packed.PackedCache;
import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.model.TensorNames;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.Weights;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;

/// Runs models with the kernels of `libweftcpu.so` on one team of threads.
///
/// Weights keep their files' bit width, packed once; `w8a8` packs them as int8 per output, `w4a8`
/// by LiquidQuant. KV is float16, or int8 where a function asks for it. **A row's result does not
/// depend on its batch, its chunk or the number of threads**: sums have one fixed order, and
/// products of int8 are exact. Nor does it depend on the instruction set, but for bf16 weights: AMX
/// rounds activations to bfloat16, the others do not.
public final class CpuBackend implements Backend {
  private static final Set<Quantization> QUANTIZATIONS =
      Set.copyOf(
          EnumSet.of(Quantization.NONE, Quantization.AUTO, Quantization.W8A8, Quantization.W4A8));

  private final CpuDevice device;
  private final BiFunction<DecoderSpec, KvType, KvLayout> kvLayouts;

  /// Loads the native library and starts the team.
  ///
  /// @throws NativeException when this machine cannot run it; the message says why
  public CpuBackend(CpuOptions options) {
    this(options, KvLayouts::of);
  }

  /// @param kvLayouts chooses how KV blocks lie
  CpuBackend(CpuOptions options, BiFunction<DecoderSpec, KvType, KvLayout> kvLayouts) {
    this.kvLayouts = kvLayouts;
    NativeFiles files = new NativeFiles(options.nativesDirectory());
    Path unpacked = files.unpack("weftcpu", List.of("META-INF/native/linux-x86_64/libweftcpu.so"));
    WeftCpu library = WeftCpu.open(unpacked.resolve("libweftcpu.so"));
    Isa best =
        Isa.ofCode(library.isa())
            .orElseThrow(() -> new NativeException("this processor", "has no AVX2, FMA and F16C"));
    Isa isa = options.isa().orElse(best);
    device =
        new CpuDevice(
            library,
            isa,
            options.threads(),
            options.spins(),
            CheckedKernels.beside(unpacked),
            options.packedCache().map(where -> new PackedCache(where, library::unhurried)));
  }

  @Override
  public String name() {
    int threads = device.threads();
    return "cpu (%s, %d %s)"
        .formatted(device.isa().label(), threads, threads == 1 ? "thread" : "threads");
  }

  /// Not all instruction sets compute other bits, but with bf16 weights some do.
  @Override
  public String arithmetic() {
    return "cpu (%s)".formatted(device.isa().label());
  }

  @Override
  public DeviceClass deviceClass() {
    return DeviceClass.CPU;
  }

  @Override
  public Set<Quantization> quantizations() {
    return QUANTIZATIONS;
  }

  @Override
  public Footprint footprint(ModelSpec spec, Weights weights, CompileOptions options) {
    Packing packing = packing(options);
    return switch (spec) {
      case DecoderSpec decoder -> {
        KvLayout kvLayout = kvLayouts.apply(decoder, options.kvType());
        yield new Footprint(
            packedBytes(weights, NativeDecoder.projections(decoder), packing)
                + tableBytes(weights, List.of(TensorNames.TOKEN_EMBEDDING)),
            scratchSizes(decoder, options, kvLayout).of(options.maxBatchTokens()),
            kvLayout);
      }
      case EncoderSpec encoder ->
          new Footprint(
              packedBytes(weights, NativeEncoder.projections(encoder), packing)
                  + tableBytes(
                      weights,
                      List.of(
                          TensorNames.TOKEN_EMBEDDING,
                          TensorNames.POSITION_EMBEDDING,
                          TensorNames.TOKEN_TYPES)),
              scratchSizes(encoder, options).of(TextBatch.mostRows(encoder, options)),
              KvLayout.NONE);
    };
  }

  private ScratchSizes scratchSizes(DecoderSpec spec, CompileOptions options, KvLayout kvLayout) {
    return new ScratchSizes(
        options.maxBatchTokens(),
        rows ->
            NativeDecoder.scratchBytes(device, spec, options, kvLayout, rows)
                + CpuDecoder.logitsBytes(spec, Math.min(rows, options.maxSequences())));
  }

  private ScratchSizes scratchSizes(EncoderSpec spec, CompileOptions options) {
    return new ScratchSizes(
        TextBatch.mostRows(spec, options),
        rows -> NativeEncoder.scratchBytes(device, spec, options, rows));
  }

  private long packedBytes(
      Weights weights, List<PackedWeights.Projection> projections, Packing packing) {
    return projections.stream()
        .mapToLong(each -> device.packedBytes(weights.tensor(each.weightName()), packing))
        .sum();
  }

  /// Tables are read from the mapped file.
  private static long tableBytes(Weights weights, List<String> names) {
    return names.stream().map(weights::tensor).map(Tensor::data).mapToLong(d -> d.byteSize()).sum();
  }

  @Override
  public ChunkMemory openMemory(long bytes) {
    return new MemoryFile(bytes);
  }

  @Override
  public DecoderExecutable compile(
      DecoderSpec spec, Weights weights, CompileOptions options, DecoderMemory memory) {
    Packing packing = packing(options);
    KvLayout kvLayout = kvLayouts.apply(spec, options.kvType());
    ScratchSizes scratchSizes = scratchSizes(spec, options, kvLayout);
    NativeDecoder decoder =
        NativeDecoder.create(
            device, spec, weights, options, kvLayout, memory.kv().address(), packing);
    try {
      return new CpuDecoder(spec, options, kvLayout, memory, decoder, scratchSizes);
    } catch (RuntimeException | Error e) {
      decoder.close();
      throw e;
    }
  }

  @Override
  public EncoderExecutable compile(
      EncoderSpec spec, Weights weights, CompileOptions options, Scratch scratch) {
    ScratchSizes scratchSizes = scratchSizes(spec, options);
    NativeEncoder encoder = NativeEncoder.create(device, spec, weights, options, packing(options));
    return new CpuEncoder(spec, options, encoder, scratch, scratchSizes);
  }

  private static Packing packing(CompileOptions options) {
    return switch (options.quantization()) {
      case NONE, AUTO -> Packing.FILE;
      case W8A8 -> Packing.W8A8;
      case W4A8 -> Packing.W4A8;
      case FP8 ->
          throw new UnsupportedModelException(
              "CPUs have no 8-bit floating point; this runtime can do none, auto, w8a8 and w4a8");
    };
  }

  @Override
  public void close() {
    device.close();
  }
}
