package dev.weft.bench;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampleRequest.TokenHistory;
import dev.weft.runtime.sampling.SamplingParameters;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/// One sequence on one compiled decoder, stepped by hand: what a backend computes and how fast,
/// without the engine around it. The model stays the caller's.
public final class DecoderRun implements AutoCloseable {
  private static final int CHUNK_ROWS = 64;

  private final DecoderExecutable executable;
  private final int[] blocks;
  private final int batchRows;
  private int adapter = StepBatch.Entry.NO_ADAPTER;

  /// Compiles the model for sequences of at most `contextLength` tokens.
  public DecoderRun(Backend backend, ModelPackage model, Quantization quantization, Bounds bounds) {
    DecoderSpec spec = (DecoderSpec) model.spec();
    this.batchRows = bounds.batchRows();
    KvLayout layout =
        backend.footprint(spec, model.weights(), options(quantization, bounds, 1)).kv();
    int blockCount = layout.blocksFor(bounds.contextLength());
    this.executable =
        backend.compile(spec, model.weights(), options(quantization, bounds, blockCount));
    this.blocks = IntStream.range(0, blockCount).toArray();
  }

  /// @param batchRows the most rows in one step
  public record Bounds(int contextLength, int batchRows) {}

  /// From now on runs with this adapter.
  public void adapt(AdapterWeights weights) {
    adapter = executable.addAdapter(weights);
  }

  private static CompileOptions options(Quantization quantization, Bounds bounds, int blockCount) {
    return new CompileOptions(
        quantization, bounds.contextLength(), blockCount, bounds.batchRows(), 1);
  }

  /// Sees the logits after one row. They are valid during the call.
  @FunctionalInterface
  public interface RowListener {
    void onRow(int position, float[] logits);
  }

  /// Feeds all tokens, a chunk at a time, and shows the logits after each.
  public void score(int[] tokens, RowListener listener) {
    int chunkRows = Math.min(batchRows, CHUNK_ROWS);
    for (int from = 0; from < tokens.length; from += chunkRows) {
      int[] chunk = Arrays.copyOfRange(tokens, from, Math.min(tokens.length, from + chunkRows));
      StepResult.Entry result = step(chunk, from, List.of(), true);
      for (int row = 0; row < chunk.length; row++) {
        listener.onRow(from + row, result.logits()[row]);
      }
    }
  }

  /// Feeds a prompt and then one token after another, each the most likely one.
  public int[] greedy(int[] prompt, int steps) {
    int[] sequence = Arrays.copyOf(prompt, prompt.length + steps);
    int next = prefill(prompt);
    for (int at = prompt.length; ; at++) {
      sequence[at] = next;
      if (at + 1 == sequence.length) {
        return Arrays.copyOfRange(sequence, prompt.length, sequence.length);
      }
      next = decode(sequence, at + 1);
    }
  }

  /// Feeds a prompt in chunks; gives the most likely next token.
  public int prefill(int[] prompt) {
    int from = 0;
    for (; from + batchRows < prompt.length; from += batchRows) {
      step(Arrays.copyOfRange(prompt, from, from + batchRows), from, List.of(), false);
    }
    int[] last = Arrays.copyOfRange(prompt, from, prompt.length);
    return sampled(step(last, from, List.of(greedyAfter(prompt, prompt.length)), false));
  }

  /// Feeds the last of the first `length` tokens; gives the most likely next one.
  public int decode(int[] sequence, int length) {
    int[] last = {sequence[length - 1]};
    return sampled(step(last, length - 1, List.of(greedyAfter(sequence, length)), false));
  }

  private StepResult.Entry step(
      int[] tokens, int position, List<SampleRequest> samples, boolean keepLogits) {
    StepBatch.Entry entry =
        new StepBatch.Entry(tokens, position, blocks, samples, keepLogits, adapter);
    return executable.forward(new StepBatch(List.of(entry))).await().entries().getFirst();
  }

  private static int sampled(StepResult.Entry result) {
    return result.sampled().getFirst().token();
  }

  private static SampleRequest greedyAfter(int[] sequence, int length) {
    TokenHistory history =
        new TokenHistory() {
          @Override
          public int promptLength() {
            return length;
          }

          @Override
          public int length() {
            return length;
          }

          @Override
          public int token(int index) {
            return sequence[index];
          }
        };
    return new SampleRequest(SamplingParameters.GREEDY, length, history, Set.of());
  }

  @Override
  public void close() {
    executable.close();
  }
}
