package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.TextBatch;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.EncoderSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// An encoder whose passes are one native call each; more texts than fit in one are several.
final class CpuEncoder implements EncoderExecutable {
  private final EncoderSpec spec;
  private final CompileOptions options;
  private final NativeEncoder encoder;
  private final Scratch scratch;
  private final ScratchSizes scratchSizes;

  CpuEncoder(
      EncoderSpec spec,
      CompileOptions options,
      NativeEncoder encoder,
      Scratch scratch,
      ScratchSizes scratchSizes) {
    this.spec = spec;
    this.options = options;
    this.encoder = encoder;
    this.scratch = scratch;
    this.scratchSizes = scratchSizes;
  }

  @Override
  public int dimensions() {
    return spec.hiddenSize();
  }

  @Override
  public List<float[]> forward(List<int[]> texts) {
    var vectors = new ArrayList<float[]>(texts.size());
    for (TextBatch batch : TextBatch.split(texts, spec, options)) {
      pass(batch, vectors);
    }
    return vectors;
  }

  private void pass(TextBatch batch, List<float[]> vectors) {
    int texts = batch.textCount();
    long at = scratch.acquire(scratchSizes.of(batch.rowCount()));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_FLOAT, (long) texts * dimensions());
      encoder.run(
          at,
          texts,
          arena.allocateFrom(JAVA_INT, batch.offsets()),
          arena.allocateFrom(JAVA_INT, batch.tokens()),
          out);
      float[] all = out.toArray(JAVA_FLOAT);
      for (int i = 0; i < texts; i++) {
        vectors.add(Arrays.copyOfRange(all, i * dimensions(), (i + 1) * dimensions()));
      }
    }
  }

  @Override
  public void close() {
    encoder.close();
    scratch.close();
  }
}
