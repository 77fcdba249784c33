package dev.weft.runtime.backend;

import dev.weft.runtime.memory.BlockPool;
import dev.weft.runtime.memory.BlockTable;
import dev.weft.runtime.sampling.SampleRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Runs sequences on a decoder without an engine, keeping all logits.
public final class DecoderDriver {
  private final DecoderExecutable decoder;
  private final BlockPool pool;

  public DecoderDriver(DecoderExecutable decoder, int blockCount) {
    this.decoder = decoder;
    pool = new BlockPool(blockCount);
  }

  /// A sequence on its way.
  public final class Run {
    private final BlockTable blocks = new BlockTable();
    private final int adapter;
    private int position;

    private Run(int adapter) {
      this.adapter = adapter;
    }

    /// Computes the next tokens alone; `[tokens][vocabulary]`.
    public float[][] add(int... tokens) {
      return decoder
          .forward(new StepBatch(List.of(entry(List.of(), tokens))))
          .await()
          .entries()
          .getFirst()
          .logits();
    }

    /// These tokens as a part of a batch, logits kept, with tokens asked for after the last rows.
    public StepBatch.Entry entry(List<SampleRequest> samples, int... tokens) {
      int end = position + tokens.length;
      if (!pool.tryGrow(blocks, decoder.kvLayout().blocksFor(end))) {
        throw new IllegalStateException("the cache is full");
      }
      var entry = new StepBatch.Entry(tokens, position, blocks.toArray(), samples, true, adapter);
      position = end;
      return entry;
    }

    /// The next entry computes the last `count` tokens again.
    public void back(int count) {
      position -= count;
    }

    /// Gives its blocks back.
    public void end() {
      decoder.releaseBlocks(pool.release(blocks));
    }
  }

  public Run start() {
    return start(StepBatch.Entry.NO_ADAPTER);
  }

  public Run start(int adapter) {
    return new Run(adapter);
  }

  /// The logits of all tokens, computed in chunks of the given lengths; the rest at once.
  public float[][] logits(int[] tokens, int... chunks) {
    return logits(StepBatch.Entry.NO_ADAPTER, tokens, chunks);
  }

  /// As [#logits(int[], int...)], with an adapter.
  public float[][] logits(int adapter, int[] tokens, int[] chunks) {
    var run = start(adapter);
    var rows = new ArrayList<float[]>();
    int from = 0;
    for (int chunk : chunks) {
      rows.addAll(Arrays.asList(run.add(Arrays.copyOfRange(tokens, from, from + chunk))));
      from += chunk;
    }
    if (from < tokens.length) {
      rows.addAll(Arrays.asList(run.add(Arrays.copyOfRange(tokens, from, tokens.length))));
    }
    run.end();
    return rows.toArray(float[][]::new);
  }

  /// Greedy continuation.
  public int[] continued(int[] prompt, int newTokens) {
    var run = start();
    int[] tokens = Arrays.copyOf(prompt, prompt.length + newTokens);
    float[][] logits = run.add(prompt);
    for (int i = prompt.length; i < tokens.length; i++) {
      tokens[i] = argmax(logits[logits.length - 1]);
      if (i + 1 < tokens.length) {
        logits = run.add(tokens[i]);
      }
    }
    run.end();
    return tokens;
  }

  static int argmax(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }
}
