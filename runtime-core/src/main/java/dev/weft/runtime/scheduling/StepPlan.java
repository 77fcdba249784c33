package dev.weft.runtime.scheduling;

import java.util.List;

/// What the next step runs.
///
/// @param parts one a sequence; their blocks are allocated
/// @param preempted sequences that went back to the queue to make room
public record StepPlan(List<Part> parts, List<Sequence> preempted) {
  public StepPlan {
    parts = List.copyOf(parts);
    preempted = List.copyOf(preempted);
  }

  /// The rows of one sequence: tokens `from` up to `from + count`, and behind them the first
  /// `drafts` tokens of its draft.
  public record Part(Sequence sequence, int from, int count, int drafts) {
    public Part(Sequence sequence, int from, int count) {
      this(sequence, from, count, 0);
    }

    public int rows() {
      return count + drafts;
    }

    /// Whether the sequence's last token is among the rows, so that the next one can be chosen.
    public boolean samples() {
      return from + count == sequence.length();
    }

    /// Whether the row continues a generation, rather than working through a prompt.
    public boolean decodes() {
      return count == 1 && from >= sequence.promptLength();
    }
  }
}
