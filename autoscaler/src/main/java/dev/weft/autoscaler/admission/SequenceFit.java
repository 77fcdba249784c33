package dev.weft.autoscaler.admission;

import java.util.Locale;

/// Whether an instance can take a request, checked on its numbers before anything is changed.
///
/// A sequence is admitted with all the KV blocks that it may come to need, prompt and answer, so
/// that what runs can always run to its end: planned blocks never exceed the capacity. First come,
/// first served: while others wait, a newcomer waits too, or long sequences would starve.
public final class SequenceFit {
  private SequenceFit() {}

  public static Outcome decide(Demand demand, Instance instance) {
    long tokens = demand.tokens();
    if (tokens > instance.contextLength()) {
      return new Rejected(
          Code.CONTEXT_LENGTH,
          String.format(
              Locale.ROOT,
              "%,d prompt tokens and up to %,d more exceed the context of %,d tokens",
              demand.promptTokens(),
              demand.maxTokens(),
              instance.contextLength()));
    }
    int blocks = instance.blocksFor(tokens);
    if (blocks > instance.blockCapacity()) {
      return new Rejected(
          Code.NEVER_FITS,
          String.format(
              Locale.ROOT,
              "%,d tokens need %,d KV blocks, the instance has %,d",
              tokens,
              blocks,
              instance.blockCapacity()));
    }
    if (instance.waiting() == 0
        && instance.running() < instance.maxSequences()
        && blocks <= instance.blocksFree()) {
      return new Runs(blocks);
    }
    if (instance.waiting() >= instance.maxWaiting()) {
      return new Rejected(
          Code.QUEUE_FULL,
          String.format(
              Locale.ROOT, "%,d requests wait already, the most that may", instance.waiting()));
    }
    return new Waits(blocks, whyWaits(blocks, instance));
  }

  private static String whyWaits(int blocks, Instance instance) {
    if (instance.waiting() > 0) {
      return String.format(Locale.ROOT, "%,d requests wait before it", instance.waiting());
    }
    if (instance.running() >= instance.maxSequences()) {
      return String.format(
          Locale.ROOT, "%,d sequences run, the most of one batch", instance.running());
    }
    return String.format(
        Locale.ROOT, "needs %,d KV blocks, %,d are free", blocks, instance.blocksFree());
  }

  /// What a request may come to need.
  ///
  /// @param promptTokens at least one
  /// @param maxTokens the most tokens of the answer; 0 for a request without one (embeddings)
  public record Demand(int promptTokens, int maxTokens) {
    public Demand {
      if (promptTokens < 1 || maxTokens < 0) {
        throw new IllegalArgumentException(
            "%d prompt tokens, %d more".formatted(promptTokens, maxTokens));
      }
    }

    public long tokens() {
      return (long) promptTokens + maxTokens;
    }
  }

  /// An instance's bounds and what it is doing.
  ///
  /// @param maxSequences the most sequences of one batch
  /// @param maxWaiting the most requests that wait for a place in it
  /// @param blocksPlanned KV blocks promised to the sequences that run
  /// @param blockCapacity KV blocks that the instance could have, were its neighbours idle
  /// @param tokensPerBlock tokens that a block holds; 0 for a model without a KV cache
  public record Instance(
      int contextLength,
      int maxSequences,
      int maxWaiting,
      int running,
      int waiting,
      int blocksPlanned,
      int blockCapacity,
      int tokensPerBlock) {
    int blocksFor(long tokens) {
      return tokensPerBlock == 0 ? 0 : Math.toIntExact(Math.ceilDiv(tokens, tokensPerBlock));
    }

    int blocksFree() {
      return blockCapacity - blocksPlanned;
    }
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// It may join the batch at once, with so many blocks planned for it.
  public record Runs(int blocks) implements Outcome {}

  /// It may queue; it will need so many blocks.
  public record Waits(int blocks, String reason) implements Outcome {}

  /// It is refused.
  public record Rejected(Code code, String reason) implements Outcome {}

  /// Why a request is refused. Only `QUEUE_FULL` may be otherwise a moment later.
  public enum Code {
    /// Prompt and answer are longer than the context.
    CONTEXT_LENGTH,
    /// The instance's KV memory cannot hold the sequence even when nothing else runs.
    NEVER_FITS,
    /// As many wait as may.
    QUEUE_FULL
  }
}
