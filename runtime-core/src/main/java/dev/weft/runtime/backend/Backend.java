package dev.weft.runtime.backend;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.memory.VirtualTensor;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.weights.Weights;
import java.util.Set;

/// A device's way of running models. One thread, the device's own, compiles nothing and calls
/// `forward`; `compile` and `footprint` may be called from any other thread beside it.
public interface Backend extends AutoCloseable {
  /// For people: `reference`, `cpu (avx512-vnni, 2 threads)`.
  String name();

  /// Differs between backends that may compute other bits from the same weights and tokens: what
  /// one has computed goes on in another only where this is the same.
  default String arithmetic() {
    return name();
  }

  DeviceClass deviceClass();

  /// What this device can hold weights as.
  Set<Quantization> quantizations();

  /// What a model takes here, before it is compiled. Throws [UnsupportedModelException] with the
  /// reason when this backend cannot run it.
  Footprint footprint(ModelSpec spec, Weights weights, CompileOptions options);

  /// Opens the memory that the models of this device pass to each other: chunks of `bytes` in all,
  /// rounded down, which take nothing until they are mapped.
  ChunkMemory openMemory(long bytes);

  /// Where weights lie between their files and this device.
  default HostTier hostTier() {
    return HostTier.OF_FILES;
  }

  /// Prepares a model. Weights stay open until the executable is closed; the caller closes both,
  /// executable first. They may still be on their way to the device when this returns, as
  /// [DecoderExecutable#arrival] says.
  ///
  /// @param memory of what this backend opened, with addresses for `options.kvBlockCount()` blocks
  ///   at least. The executable closes it with itself; when this throws, the caller keeps it
  DecoderExecutable compile(
      DecoderSpec spec, Weights weights, CompileOptions options, DecoderMemory memory);

  /// As for a decoder.
  ///
  /// @param scratch for what a pass computes
  EncoderExecutable compile(
      EncoderSpec spec, Weights weights, CompileOptions options, Scratch scratch);

  /// Prepares a model that shares its memory with nobody: `options.kvBlockCount()` blocks, all
  /// mapped. For measurements and tests.
  default DecoderExecutable compile(DecoderSpec spec, Weights weights, CompileOptions options) {
    Footprint footprint = footprint(spec, weights, options);
    long chunkBytes = ChunkMemory.CHUNK_BYTES;
    int chunks = footprint.kv().tiling(chunkBytes).chunksFor(options.kvBlockCount());
    Scratch scratch = ownScratch(footprint);
    try {
      VirtualTensor kv =
          ChunkPool.whole(name(), VirtualTensor.Kind.KV, openMemory(chunks * chunkBytes));
      try {
        return compile(spec, weights, options, new DecoderMemory(kv, scratch));
      } catch (RuntimeException | Error e) {
        kv.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      scratch.close();
      throw e;
    }
  }

  /// Prepares a model that shares its memory with nobody.
  default EncoderExecutable compile(EncoderSpec spec, Weights weights, CompileOptions options) {
    Scratch scratch = ownScratch(footprint(spec, weights, options));
    try {
      return compile(spec, weights, options, scratch);
    } catch (RuntimeException | Error e) {
      scratch.close();
      throw e;
    }
  }

  private Scratch ownScratch(Footprint footprint) {
    long chunkBytes = ChunkMemory.CHUNK_BYTES;
    long bytes = Math.ceilDiv(footprint.activationBytes(), chunkBytes) * chunkBytes;
    return Scratch.of(ChunkPool.whole(name(), VirtualTensor.Kind.ACTIVATION, openMemory(bytes)));
  }

  @Override
  void close();

  /// How to compile.
  ///
  /// @param kvType what KV blocks hold
  /// @param kvBlockCount KV blocks that a block table may name (0 for an encoder)
  /// @param maxBatchTokens the most rows in one step
  /// @param maxSequences the most sequences in one step
  record CompileOptions(
      Quantization quantization,
      KvType kvType,
      int contextLength,
      int kvBlockCount,
      int maxBatchTokens,
      int maxSequences) {

    /// With 16-bit KV.
    public CompileOptions(
        Quantization quantization,
        int contextLength,
        int kvBlockCount,
        int maxBatchTokens,
        int maxSequences) {
      this(quantization, KvType.F16, contextLength, kvBlockCount, maxBatchTokens, maxSequences);
    }
  }

  /// Bytes that a model takes on this device.
  ///
  /// @param weightBytes resident weights (mapped file bytes and packed copies)
  /// @param activationBytes scratch for the largest step
  /// @param kv the layout of its KV cache; [KvLayout#NONE] for an encoder
  record Footprint(long weightBytes, long activationBytes, KvLayout kv) {
    public long fixedBytes() {
      return weightBytes + activationBytes;
    }
  }
}
