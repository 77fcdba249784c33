package dev.weft.autoscaler.admission;

import dev.weft.autoscaler.profile.StepTimes;
import java.util.List;

/// What an instance has to do and holds: a snapshot of it, or the instance itself. One that does
/// not exist yet is described the same way, with nothing to do.
public interface InstanceLoad {
  /// Step times on its device, with the margin.
  StepTimes times();

  /// The time per token that its function promises.
  long tokenNanos();

  /// Sequences that it has taken, whether their prompts are computed or wait for it.
  int batch();

  /// Tokens of these sequences together.
  long contextTokens();

  /// KV tokens that these sequences will need, with what they are expected to grow by.
  long neededTokens();

  /// KV tokens for which memory is planned.
  long plannedTokens();

  long bytesPerToken();

  /// What it needs beside KV and has no memory planned for yet: the weights of an instance that is
  /// to be made.
  long unplannedBytes();

  /// The prompts that wait to be computed.
  List<? extends Prompt> prompts();

  /// When the next token of one of its sequences is due: later than now where they are ahead of
  /// what was promised, `Long.MAX_VALUE` where there is none. One that cannot tell is taken to owe
  /// tokens from the beginning.
  default long tokensDueAt() {
    return batch() > prompts().size() ? Long.MIN_VALUE : Long.MAX_VALUE;
  }

  /// When it can compute: now or earlier, unless it is being loaded.
  long readyAt();

  /// A prompt that waits to be computed.
  interface Prompt {
    /// When its first token is due.
    long deadline();

    /// Tokens to compute.
    int tokens();

    /// Whether its first token is late whatever happens. It is computed after those that can be in
    /// time.
    default boolean lost(long now) {
      return deadline() < now;
    }
  }
}
