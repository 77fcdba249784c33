package dev.weft.runtime.backend;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Quantization;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.PlainChunkMemory;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.weights.Weights;
import java.util.EnumSet;
import java.util.Set;

/// Plain Java in float32: the oracle that every other backend is tested against. It needs no native
/// code. Weights are dequantised once, exactly as their format defines them; sums that are not
/// matrix products run in double; every reduction has a fixed order, so a row's result does not
/// depend on its batch, its chunk, or the number of threads.
///
/// It is made to be read and believed, not to be fast.
public final class ReferenceBackend implements Backend {
  private static final int BLOCK_TOKENS = 16;

  private final int threads;
  private final int blockTokens;
  private final WorkerTeam team;

  public ReferenceBackend(int threads) {
    this(threads, BLOCK_TOKENS);
  }

  /// @param blockTokens tokens of a KV block
  public ReferenceBackend(int threads, int blockTokens) {
    this.threads = threads;
    this.blockTokens = blockTokens;
    team = new WorkerTeam(threads);
  }

  @Override
  public String name() {
    return "reference (%d threads)".formatted(threads);
  }

  @Override
  public String arithmetic() {
    return "reference";
  }

  @Override
  public DeviceClass deviceClass() {
    return DeviceClass.CPU;
  }

  @Override
  public Set<Quantization> quantizations() {
    return EnumSet.of(Quantization.NONE, Quantization.AUTO);
  }

  @Override
  public Footprint footprint(ModelSpec spec, Weights weights, CompileOptions options) {
    checkQuantization(options);
    long elements =
        weights.names().stream()
            .mapToLong(name -> weights.tensor(name).shape().elementCount())
            .reduce(0, Math::addExact);
    return switch (spec) {
      case DecoderSpec decoder -> {
        // Of a row: the residual and its norm, q, k, v, the attention's result, three times the
        // feed-forward width; and one vocabulary a sequence.
        long rowFloats =
            3L * decoder.hiddenSize()
                + 2L * decoder.queryWidth()
                + 2L * decoder.kvWidth()
                + 3L * decoder.intermediateSize();
        long logits = (long) options.maxSequences() * decoder.vocabularySize();
        yield new Footprint(
            elements * Float.BYTES,
            (options.maxBatchTokens() * rowFloats + logits) * Float.BYTES,
            kvLayout(decoder));
      }
      case EncoderSpec encoder -> {
        long rowFloats = 6L * encoder.hiddenSize() + encoder.intermediateSize();
        yield new Footprint(
            elements * Float.BYTES,
            options.maxBatchTokens() * rowFloats * Float.BYTES,
            KvLayout.NONE);
      }
    };
  }

  private KvLayout kvLayout(DecoderSpec spec) {
    long floats = 2L * spec.layerCount() * blockTokens * spec.kvWidth();
    return new KvLayout(blockTokens, floats * Float.BYTES);
  }

  @Override
  public ChunkMemory openMemory(long bytes) {
    return new PlainChunkMemory(ChunkMemory.CHUNK_BYTES, bytes);
  }

  @Override
  public DecoderExecutable compile(
      DecoderSpec spec, Weights weights, CompileOptions options, DecoderMemory memory) {
    checkQuantization(options);
    return new ReferenceDecoder(spec, weights, options, kvLayout(spec), memory, team);
  }

  @Override
  public EncoderExecutable compile(
      EncoderSpec spec, Weights weights, CompileOptions options, Scratch scratch) {
    checkQuantization(options);
    return new ReferenceEncoder(spec, weights, scratch, team);
  }

  private void checkQuantization(CompileOptions options) {
    if (!quantizations().contains(options.quantization())) {
      throw new UnsupportedModelException(
          "the reference backend computes in float32 only (quantization none or auto), not %s"
              .formatted(options.quantization()));
    }
  }

  @Override
  public void close() {
    team.close();
  }
}
