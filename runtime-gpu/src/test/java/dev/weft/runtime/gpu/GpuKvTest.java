package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderDriver;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Keys and values in each type, with heads of every size that there are kernels for and sizes
/// between, few and many query heads, and windows that begin in the middle of a block: rows are
/// what the reference computes from the very keys and values that the cache holds, and depend on
/// nothing beside them.
class GpuKvTest {
  private static final int TOKENS = 150;
  private static final int BLOCKS = 64;

  /// In standard deviations of the logits: by queries and weights in float16, and by a row's own
  /// key and value, which the reference does not round.
  private static final double MOST_DIFFERENCE = 0.05;

  @Nested
  class Emulated extends Cases {
    @Override
    Backend open(long mostPartialBytes) {
      return EmulatedGpu.backend(mostPartialBytes);
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC")
  class OnTheDevice extends Cases {
    @Override
    Backend open(long mostPartialBytes) {
      return RealGpu.backend(mostPartialBytes);
    }
  }

  abstract static class Cases {
    @TempDir private Path directory;

    abstract Backend open(long mostPartialBytes);

    private Backend open() {
      return open(AttentionWork.MOST_PARTIAL_BYTES);
    }

    private ModelPackage model(int hidden, int heads, int kvHeads) {
      return ModelFiles.open(
          TinyModels.llama(directory, 11).hidden(hidden).heads(heads, kvHeads).writeGguf());
    }

    @ParameterizedTest
    @CsvSource({
      "INT8,256,4,2,0", // of 64
      "INT8,256,2,1,0", // of 128
      "INT8,256,1,1,0", // of 256
      "INT8,240,10,5,0", // of 24, which vectors of 16 do not divide
      "INT8,160,20,1,0", // of 8, whose 20 query heads take two fragments
      "INT8,256,4,2,33",
      "F16,256,4,2,33",
    })
    void rowsAreTheReferencesOverWhatTheCacheHolds(
        KvType type, int hidden, int heads, int kvHeads, int window) {
      int[] tokens = tokens(TOKENS);
      try (ModelPackage model = model(hidden, heads, kvHeads);
          Backend reference = new ReferenceBackend(1);
          Backend backend = open();
          var expected = compile(reference, model, type, window);
          var actual = compile(backend, model, type, window)) {
        float[][] rows = forward(actual, tokens, 0);
        forward(expected, tokens, 0);
        move(actual, expected);
        double most = 0;
        // From the last one on: each row sees what was moved, but for its own key and value.
        for (int i = TOKENS - 1; i >= 0; i -= 7) {
          float[] row = forward(expected, new int[] {tokens[i]}, i)[0];
          most = Math.max(most, difference(rows[i], row));
        }
        assertThat(most).isLessThan(MOST_DIFFERENCE);
      }
    }

    @ParameterizedTest
    @CsvSource({"256,4,2,0", "256,1,1,0", "240,10,5,0", "160,20,1,0", "256,4,2,33"})
    void rowsOfInt8DoNotDependOnChunks(int hidden, int heads, int kvHeads, int window) {
      int[] tokens = tokens(TOKENS);
      try (ModelPackage model = model(hidden, heads, kvHeads);
          Backend backend = open();
          var decoder = compile(backend, model, KvType.INT8, window)) {
        var driver = new DecoderDriver(decoder, BLOCKS);
        float[][] whole = driver.logits(tokens);

        assertThat(driver.logits(tokens, 63, 1, 1, 5, 20, 1, 16, 40)).isDeepEqualTo(whole);
      }
    }

    @ParameterizedTest
    @CsvSource({
      "1,0", // a row at once
      "16384,0", // some rows at once
      "16384,75",
    })
    void rowsDoNotDependOnHowManyAreMergedAtOnce(long mostPartialBytes, int window) {
      try (ModelPackage model = model(256, 8, 2);
          Backend whole = open();
          Backend divided = open(mostPartialBytes);
          var expected = compile(whole, model, KvType.F16, window);
          var actual = compile(divided, model, KvType.F16, window)) {
        assertThat(singles(actual)).isDeepEqualTo(singles(expected));
      }
    }

    /// Rows of four sequences that are attended to one by one, the last of 150 tokens.
    private float[][][] singles(DecoderExecutable decoder) {
      var driver = new DecoderDriver(decoder, BLOCKS);
      var entries = new ArrayList<StepBatch.Entry>();
      for (int before : new int[] {0, 63, 100, 135}) {
        var run = driver.start();
        if (before > 0) {
          run.add(tokens(before));
        }
        entries.add(run.entry(List.of(), tokens(15)));
      }
      return decoder.forward(new StepBatch(entries)).await().entries().stream()
          .map(StepResult.Entry::logits)
          .toArray(float[][][]::new);
    }
  }

  private static DecoderExecutable compile(
      Backend backend, ModelPackage model, KvType type, int window) {
    DecoderSpec spec = (DecoderSpec) model.spec();
    var windowed =
        new DecoderSpec(
            spec.family(),
            spec.vocabularySize(),
            spec.contextLength(),
            spec.layerCount(),
            spec.hiddenSize(),
            spec.intermediateSize(),
            spec.headCount(),
            spec.kvHeadCount(),
            spec.headSize(),
            spec.normEpsilon(),
            spec.rope(),
            spec.activation(),
            spec.attentionBias(),
            spec.tiedOutput(),
            window);
    var options = new CompileOptions(Quantization.NONE, type, 192, BLOCKS, 192, 4);
    return backend.compile(windowed, model.weights(), options);
  }

  private static float[][] forward(DecoderExecutable decoder, int[] tokens, int position) {
    var entry =
        new StepBatch.Entry(
            tokens, position, blocks(decoder), List.of(), true, StepBatch.Entry.NO_ADAPTER);
    return decoder.forward(new StepBatch(List.of(entry))).await().entries().getFirst().logits();
  }

  /// Those of the only sequence.
  private static int[] blocks(DecoderExecutable decoder) {
    return IntStream.range(0, decoder.kvLayout().blocksFor(TOKENS)).toArray();
  }

  /// Puts all keys and values of one decoder into another, which has them in float32.
  private static void move(DecoderExecutable from, DecoderExecutable to) {
    KvFormat source = from.kvFormat();
    KvFormat target = to.kvFormat();
    assertThat(target.element()).isEqualTo(KvElement.F32);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment held = saved(from, arena);
      MemorySegment moved = saved(to, arena);
      MemorySegment token = arena.allocate(source.tokenBytes());
      MemorySegment floats = arena.allocate(target.tokenBytes());
      for (int i = 0; i < TOKENS; i++) {
        source.take(block(from, held, i), i % from.kvLayout().blockTokens(), token);
        widen(source, token, floats);
        target.put(floats, block(to, moved, i), i % to.kvLayout().blockTokens());
      }
      to.loadBlocks(blocks(to), moved);
    }
  }

  private static MemorySegment saved(DecoderExecutable decoder, Arena arena) {
    int[] blocks = blocks(decoder);
    MemorySegment all = arena.allocate(blocks.length * decoder.kvLayout().blockBytes());
    decoder.saveBlocks(blocks, all);
    return all;
  }

  private static MemorySegment block(DecoderExecutable decoder, MemorySegment all, int token) {
    long bytes = decoder.kvLayout().blockBytes();
    return all.asSlice(token / decoder.kvLayout().blockTokens() * bytes, bytes);
  }

  /// What a token's elements stand for.
  private static void widen(KvFormat format, MemorySegment token, MemorySegment floats) {
    long at = 0;
    for (int head = 0; head < 2 * format.layers() * format.kvHeads(); head++) {
      float scale = 1;
      if (format.element() == KvElement.INT8) {
        scale = Float.float16ToFloat(token.get(JAVA_SHORT_UNALIGNED, at));
      }
      at += format.element().scaleBytes();
      for (int i = 0; i < format.headSize(); i++, at += format.element().bytes()) {
        float value =
            switch (format.element()) {
              case INT8 -> token.get(JAVA_BYTE, at) * scale;
              case F16 -> Float.float16ToFloat(token.get(JAVA_SHORT_UNALIGNED, at));
              case F32 -> token.get(JAVA_FLOAT_UNALIGNED, at);
            };
        floats.set(JAVA_FLOAT_UNALIGNED, 4L * (head * format.headSize() + i), value);
      }
    }
  }

  private static int[] tokens(int count) {
    return new SplittableRandom(count).ints(count, 3, 250).toArray();
  }

  /// The largest, in standard deviations of what is expected.
  private static double difference(float[] actual, float[] expected) {
    double mean =
        IntStream.range(0, expected.length).mapToDouble(i -> expected[i]).average().orElseThrow();
    double most = 0;
    double squares = 0;
    for (int i = 0; i < expected.length; i++) {
      double difference = Math.abs(actual[i] - expected[i]);
      // Not a number must not pass.
      most = difference <= most ? most : difference;
      squares += (expected[i] - mean) * (expected[i] - mean);
    }
    return most / Math.sqrt(squares / expected.length);
  }
}
