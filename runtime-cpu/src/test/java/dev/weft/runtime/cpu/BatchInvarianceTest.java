package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A row's logits are the same bits whatever runs beside it: one prompt whole, in chunks, token by
/// token, among other sequences, in scattered and used blocks, on several threads and instruction
/// sets; of bf16 weights, on each of those that multiply bf16 and on the others.
class BatchInvarianceTest {
  private static final int TOKENS = 330;

  @TempDir private Path directory;

  enum Weights {
    F32(DType.F32, Quantization.NONE, KvType.F16),
    F32_KV_INT8(DType.F32, Quantization.NONE, KvType.INT8),
    Q4_1(DType.Q4_1, Quantization.NONE, KvType.F16),
    Q6_K(DType.Q6_K, Quantization.NONE, KvType.F16),
    BF16(DType.BF16, Quantization.NONE, KvType.F16),
    W8A8(DType.BF16, Quantization.W8A8, KvType.F16),
    W8A8_KV_INT8(DType.BF16, Quantization.W8A8, KvType.INT8),
    W4A8(DType.BF16, Quantization.W4A8, KvType.F16);

    private final DType type;
    private final Quantization quantization;
    private final KvType kvType;

    Weights(DType type, Quantization quantization, KvType kvType) {
      this.type = type;
      this.quantization = quantization;
      this.kvType = kvType;
    }
  }

  private static int[] tokens(int count, long seed) {
    return new SplittableRandom(seed).ints(count, 0, 300).toArray();
  }

  private static void assertSame(List<float[]> expected, List<float[]> actual, String what) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int row = 0; row < expected.size(); row++) {
      assertThat(actual.get(row)).as("%s, row %d", what, row).isEqualTo(expected.get(row));
    }
  }

  @ParameterizedTest
  @EnumSource(Weights.class)
  void rowsDependOnTheirSequenceAlone(Weights weights) {
    Path file =
        TinyModels.llama(directory, 1)
            .hidden(256)
            .heads(6 + 2, 2)
            .intermediate(256)
            .context(512)
            .dtype(weights.type)
            .writeGguf();
    int[] prompt = tokens(TOKENS, 2);
    try (ModelPackage model = ModelFiles.open(file)) {
      DecoderSpec spec = (DecoderSpec) model.spec();
      var options = new CompileOptions(weights.quantization, weights.kvType, 512, 300, 400, 8);
      List<float[]> expected = new ArrayList<>();
      for (Isa isa : CpuDevices.instructionSets()) {
        for (int threads : List.of(1, 2, 3)) {
          try (CpuBackend backend = CpuDevices.backend(isa, threads);
              DecoderExecutable decoder = backend.compile(spec, model.weights(), options)) {
            String what = isa + " with " + threads + " threads: ";
            int[] blocks = Steps.blocks(decoder, 0, 1, TOKENS);
            List<float[]> whole = Steps.logits(decoder, prompt, blocks, List.of(TOKENS));
            boolean ownArithmetic = weights == Weights.BF16 && isa.multipliesBf16() && threads == 1;
            if (expected.isEmpty() || ownArithmetic) {
              expected.clear();
              expected.addAll(whole);
            }
            assertSame(expected, whole, what + "whole");
            List<Integer> uneven = List.of(1, 16, 15, 100, 3, 120, 1, 74);
            int[] scattered = Steps.blocks(decoder, 1, 3, TOKENS);
            assertSame(expected, Steps.logits(decoder, prompt, scattered, uneven), what + "chunks");
            assertSame(expected, amongOthers(decoder, prompt), what + "among others");
          }
        }
      }
      try (CpuBackend backend = CpuDevices.backend();
          DecoderExecutable decoder = backend.compile(spec, model.weights(), options)) {
        int[] blocks = Steps.blocks(decoder, 0, 1, TOKENS);
        List<float[]> single =
            Steps.logits(decoder, prompt, blocks, Collections.nCopies(TOKENS, 1));
        assertSame(expected, single, "token by token");
      }
    }
  }

  /// The prompt in chunks of 33, beside four other sequences of other lengths that decode.
  private static List<float[]> amongOthers(DecoderExecutable decoder, int[] prompt) {
    List<float[]> logits = new ArrayList<>();
    int[] blocks = Steps.blocks(decoder, 4, 5, TOKENS);
    for (int position = 0; position < TOKENS; position += 33) {
      List<StepBatch.Entry> entries = new ArrayList<>();
      for (int other = 0; other < 4; other++) {
        int[] othersTokens = tokens(1 + other * 3, position + other);
        int[] othersBlocks = Steps.blocks(decoder, other, 5, TOKENS + 32);
        entries.add(Steps.scored(othersTokens, position, othersBlocks));
      }
      int end = Math.min(TOKENS, position + 33);
      entries.add(2, Steps.scored(Arrays.copyOfRange(prompt, position, end), position, blocks));
      StepResult result = decoder.forward(new StepBatch(entries)).await();
      logits.addAll(List.of(result.entries().get(2).logits()));
    }
    return logits;
  }
}
