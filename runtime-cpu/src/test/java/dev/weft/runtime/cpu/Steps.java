package dev.weft.runtime.cpu;

import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Short ways to run steps.
final class Steps {
  private Steps() {}

  /// Blocks `first`, `first + stride`, ...: enough for `tokens`.
  static int[] blocks(DecoderExecutable decoder, int first, int stride, int tokens) {
    int count = decoder.kvLayout().blocksFor(tokens);
    return IntStream.range(0, count).map(i -> first + i * stride).toArray();
  }

  static StepBatch.Entry scored(int[] tokens, int position, int[] blocks) {
    return new StepBatch.Entry(
        tokens, position, blocks, List.of(), true, StepBatch.Entry.NO_ADAPTER);
  }

  /// The logits of all rows of `tokens`, run in chunks of these sizes.
  static List<float[]> logits(
      DecoderExecutable decoder, int[] tokens, int[] blocks, List<Integer> chunks) {
    var rows = new ArrayList<float[]>();
    int position = 0;
    for (int chunk : chunks) {
      int[] part = Arrays.copyOfRange(tokens, position, position + chunk);
      StepBatch batch = new StepBatch(List.of(scored(part, position, blocks)));
      rows.addAll(List.of(only(decoder.forward(batch).await()).logits()));
      position += chunk;
    }
    return rows;
  }

  static StepResult.Entry only(StepResult result) {
    return result.entries().getFirst();
  }
}
