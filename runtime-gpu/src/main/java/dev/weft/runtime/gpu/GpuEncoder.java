package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.TextBatch;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.EncoderSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// An encoder on a GPU. A pass is submitted as a whole and waited for; more texts than fit in one
/// are several.
final class GpuEncoder implements EncoderExecutable {
  private final EncoderSpec spec;
  private final CompileOptions options;
  private final GpuDevice device;
  private final EncoderWeights weights;
  private final Scratch scratch;
  private final Arena arena = Arena.ofShared();
  private final EncoderTables tables;
  private final PinnedBuffer vectors;
  private final EncoderKernels kernels;

  /// Takes weights and scratch over when it returns.
  GpuEncoder(
      EncoderSpec spec,
      CompileOptions options,
      GpuDevice device,
      EncoderWeights weights,
      Scratch scratch) {
    this.spec = spec;
    this.options = options;
    this.device = device;
    this.weights = weights;
    this.scratch = scratch;
    try {
      tables = new EncoderTables(device.context(), spec, options);
      try {
        kernels = new EncoderKernels(spec, device, weights, tables, arena);
        weights.await();
        vectors = new PinnedBuffer(device.context(), options.maxSequences() * vectorBytes());
      } catch (RuntimeException | Error e) {
        tables.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  private long vectorBytes() {
    return (long) spec.hiddenSize() * Float.BYTES;
  }

  @Override
  public int dimensions() {
    return spec.hiddenSize();
  }

  @Override
  public List<float[]> forward(List<int[]> texts) {
    List<TextBatch> passes = TextBatch.split(texts, spec, options);
    return device.watched(() -> {
      device.context().bind();
      var all = new ArrayList<float[]>(texts.size());
      passes.forEach(batch -> pass(batch, all));
      return all;
    });
  }

  private void pass(TextBatch batch, List<float[]> all) {
    long at = scratch.acquire(EncoderScratch.bytes(spec, options, batch.rowCount()));
    EncoderScratch layout = EncoderScratch.of(spec, batch);
    tables.fill(batch, at + layout.keysValues(), layout.blockBytes());
    tables.copy(device.stream());
    kernels.pass(layout, at);
    MemorySegment to = vectors.segment().asSlice(0, batch.textCount() * vectorBytes());
    device.stream().copyToHost(at + layout.vectors(), to);
    device.stream().synchronize();
    for (int text = 0; text < batch.textCount(); text++) {
      all.add(to.asSlice(text * vectorBytes(), vectorBytes()).toArray(JAVA_FLOAT));
    }
  }

  @Override
  public void close() {
    device.context().bind();
    device.stream().synchronize();
    vectors.close();
    tables.close();
    weights.close();
    scratch.close();
    arena.close();
  }
}
