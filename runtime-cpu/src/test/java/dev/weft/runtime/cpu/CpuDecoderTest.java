package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CpuDecoderTest {
  private static final CompileOptions OPTIONS =
      new CompileOptions(Quantization.NONE, 128, 20, 64, 4);

  @TempDir private Path directory;

  private ModelPackage model;
  private CpuBackend backend;
  private DecoderExecutable decoder;

  @BeforeEach
  void open() {
    model = ModelFiles.open(TinyModels.llama(directory, 11).dtype(DType.Q8_0).writeGguf());
    backend = CpuDevices.backend();
    decoder = backend.compile((DecoderSpec) model.spec(), model.weights(), OPTIONS);
  }

  @AfterEach
  void close() {
    decoder.close();
    backend.close();
    model.close();
  }

  private record NoHistory() implements SampleRequest.TokenHistory {
    @Override
    public int promptLength() {
      return 0;
    }

    @Override
    public int length() {
      return 0;
    }

    @Override
    public int token(int index) {
      throw new IndexOutOfBoundsException(index);
    }
  }

  private static SampleRequest sample(SamplingParameters parameters, Set<Integer> blocked) {
    return new SampleRequest(parameters, 3, new NoHistory(), blocked);
  }

  private StepResult.Entry run(SampleRequest sample) {
    int[] blocks = Steps.blocks(decoder, 0, 1, 3);
    StepBatch.Entry entry =
        new StepBatch.Entry(
            new int[] {5, 6, 7}, 0, blocks, List.of(sample), true, StepBatch.Entry.NO_ADAPTER);
    return Steps.only(decoder.forward(new StepBatch(List.of(entry))).await());
  }

  private static int largest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  @Test
  void smallStepsBeginWithAllWorkers() {
    assertThat(decoder.workers()).isEqualTo(2);
  }

  @Test
  void greedyTakesTheLargestLogit() {
    StepResult.Entry result = run(sample(SamplingParameters.GREEDY, Set.of()));
    assertThat(result.logits()).hasNumberOfRows(3);
    assertThat(result.sampled().getFirst().token()).isEqualTo(largest(result.logits()[2]));
  }

  @Test
  void blockedAndBiasedTokensGoThroughTheSampler() {
    int best = run(sample(SamplingParameters.GREEDY, Set.of())).sampled().getFirst().token();
    StepResult.Entry blocked = run(sample(SamplingParameters.GREEDY, Set.of(best)));
    assertThat(blocked.sampled().getFirst().token()).isNotEqualTo(best);
    var biased = new SamplingParameters(0, 0, 1, 0, 0, 0, 1, Map.of(123, 1000f), 0, 2);
    StepResult.Entry scored = run(sample(biased, Set.of()));
    assertThat(scored.sampled().getFirst().token()).isEqualTo(123);
    assertThat(scored.sampled().getFirst().alternatives()).hasSize(2);
    // The kept logits are the model's own.
    assertThat(largest(scored.logits()[2])).isEqualTo(best);
  }

  @Test
  void entriesWithoutSampleGiveNothing() {
    int[] blocks = Steps.blocks(decoder, 0, 1, 3);
    var entry =
        new StepBatch.Entry(
            new int[] {5, 6, 7}, 0, blocks, List.of(), false, StepBatch.Entry.NO_ADAPTER);
    StepResult.Entry result = Steps.only(decoder.forward(new StepBatch(List.of(entry))).await());
    assertThat(result.sampled()).isEmpty();
    assertThat(result.logits()).isEmpty();
  }

  @Test
  void refusesWhatIsOutOfRange() {
    int[] blocks = {0};
    assertThatThrownBy(() -> forward(new int[] {300}, 0, blocks))
        .hasMessage("token 300 is outside the vocabulary of 300");
    assertThatThrownBy(() -> forward(new int[] {1}, 128, blocks))
        .hasMessage("positions 128 to 129 are outside the context of 128");
    assertThatThrownBy(() -> forward(new int[] {1}, 100, blocks))
        .hasMessage("1 blocks do not hold 101 tokens");
    assertThatThrownBy(() -> forward(new int[] {1}, 0, new int[] {20}))
        .hasMessage("block 20 is outside the cache of 20");
    assertThatThrownBy(() -> forward(new int[65], 0, Steps.blocks(decoder, 0, 1, 65)))
        .hasMessage("a step of 65 rows and 1 sequences; compiled for 64 and 4");
  }

  private void forward(int[] tokens, int position, int[] blocks) {
    decoder.forward(new StepBatch(List.of(Steps.scored(tokens, position, blocks))));
  }

  @Test
  void refusesQuantizationsWithTheReason() {
    var options = new CompileOptions(Quantization.FP8, 128, 20, 64, 4);
    assertThatThrownBy(() -> backend.footprint(model.spec(), model.weights(), options))
        .isInstanceOf(UnsupportedModelException.class)
        .hasMessageContaining("can do none, auto, w8a8 and w4a8");
  }

  @Test
  void footprintCountsWhatIsHeld() {
    var footprint = backend.footprint(model.spec(), model.weights(), OPTIONS);
    // Packed matrices round up to pages; the embedding is there twice: a table and the output.
    assertThat(footprint.weightBytes()).isGreaterThan(model.weights().byteSize());
    assertThat(footprint.activationBytes()).isPositive();
    assertThat(footprint.kv()).isEqualTo(decoder.kvLayout());
  }
}
