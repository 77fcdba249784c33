package dev.weft.runtime.backend;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.ChunkPool;
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

  DeviceClass deviceClass();

  /// What this device can hold weights as.
  Set<Quantization> quantizations();

  /// What a model takes here, before it is compiled. Throws [UnsupportedModelException] with the
  /// reason when this backend cannot run it.
  Footprint footprint(ModelSpec spec, Weights weights, CompileOptions options);

  /// Opens the memory that the decoders of this device pass to each other: chunks of `bytes` in
  /// all, rounded down, which take nothing until they are mapped.
  ChunkMemory openMemory(long bytes);

  /// Prepares a model. Weights stay open until the executable is closed; the caller closes both,
  /// executable first.
  ///
  /// @param kv addresses for `options.kvBlockCount()` blocks at least, of a memory that this
  ///   backend opened. A step may use the blocks that its mapped chunks hold. The executable closes
  ///   it with itself; when this throws, the caller keeps it
  DecoderExecutable compile(
      DecoderSpec spec, Weights weights, CompileOptions options, VirtualTensor kv);

  /// Prepares a model that shares its memory with nobody: `options.kvBlockCount()` blocks, all
  /// mapped. For measurements and tests.
  default DecoderExecutable compile(DecoderSpec spec, Weights weights, CompileOptions options) {
    KvLayout layout = footprint(spec, weights, options).kv();
    long chunkBytes = ChunkMemory.CHUNK_BYTES;
    int chunks = layout.tiling(chunkBytes).chunksFor(options.kvBlockCount());
    VirtualTensor kv = ChunkPool.whole(name(), openMemory(chunks * chunkBytes));
    try {
      return compile(spec, weights, options, kv);
    } catch (RuntimeException | Error e) {
      kv.close();
      throw e;
    }
  }

  EncoderExecutable compile(EncoderSpec spec, Weights weights, CompileOptions options);

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
