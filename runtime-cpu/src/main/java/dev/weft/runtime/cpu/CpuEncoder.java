package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.EncoderExecutable;
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
  private final NativeEncoder encoder;
  private final Scratch scratch;
  private final ScratchSizes scratchSizes;
  private final int maxRows;
  private final int maxTexts;

  CpuEncoder(
      EncoderSpec spec,
      CompileOptions options,
      NativeEncoder encoder,
      Scratch scratch,
      ScratchSizes scratchSizes) {
    this.spec = spec;
    this.encoder = encoder;
    this.scratch = scratch;
    this.scratchSizes = scratchSizes;
    maxRows = NativeEncoder.maxRows(spec, options);
    maxTexts = options.maxSequences();
  }

  @Override
  public int dimensions() {
    return spec.hiddenSize();
  }

  @Override
  public List<float[]> forward(List<int[]> texts) {
    texts.forEach(this::check);
    var vectors = new ArrayList<float[]>(texts.size());
    int first = 0;
    while (first < texts.size()) {
      int rows = 0;
      int end = first;
      while (end < texts.size()
          && end - first < maxTexts
          && rows + texts.get(end).length <= maxRows) {
        rows += texts.get(end++).length;
      }
      pass(texts.subList(first, end), rows, vectors);
      first = end;
    }
    return vectors;
  }

  private void check(int[] text) {
    if (text.length == 0 || text.length > spec.contextLength()) {
      throw new IllegalArgumentException(
          "a text has %d tokens; 1 to %d are possible"
              .formatted(text.length, spec.contextLength()));
    }
    for (int token : text) {
      if (token < 0 || token >= spec.vocabularySize()) {
        throw new IllegalArgumentException(
            "token %d is outside the vocabulary of %d".formatted(token, spec.vocabularySize()));
      }
    }
  }

  private void pass(List<int[]> texts, int rows, List<float[]> vectors) {
    int[] tokens = new int[rows];
    int[] offsets = new int[texts.size() + 1];
    for (int i = 0; i < texts.size(); i++) {
      int[] text = texts.get(i);
      System.arraycopy(text, 0, tokens, offsets[i], text.length);
      offsets[i + 1] = offsets[i] + text.length;
    }
    long at = scratch.acquire(scratchSizes.of(rows));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_FLOAT, (long) texts.size() * dimensions());
      encoder.run(
          at,
          texts.size(),
          arena.allocateFrom(JAVA_INT, offsets),
          arena.allocateFrom(JAVA_INT, tokens),
          out);
      float[] all = out.toArray(JAVA_FLOAT);
      for (int i = 0; i < texts.size(); i++) {
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
