package dev.weft.runtime.engine;

import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.scheduling.StepBudget;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/// How much of the prompts a step of one instance may compute, so that it takes a bounded time on
/// this machine: short while somebody reads along, for whom a step is the pause between two words;
/// longer when prompts are all there is, which reads the weights less often.
///
/// What a row costs differs by a factor of thousands between models and machines, and grows with
/// the tokens before it. It is measured as steps go by, at two places: near the beginning of a text
/// and far from it. The line through both is what the next step is planned with. No step can be
/// interrupted, so the first is small, and those after it grow by a bounded factor. Used by one
/// thread.
final class PrefillPace {
  /// Rows of the first prompts' step: less would read the weights for too few.
  static final int FIRST_ROWS = 16;

  static final long NOBODY_READS = Long.MAX_VALUE;
  static final long ALONE_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  /// So many times the rows of the largest step so far are in a step at the most.
  static final int GROWTH = 4;

  /// So many times the longest step beside readers is still within what they are promised.
  private static final int BORNE = 2;

  /// Fewer rows cost what reading the weights costs, which says nothing of a row.
  private static final int TELLING_ROWS = FIRST_ROWS / 4;

  /// A row's context from which on it is far from the beginning.
  private static final int FAR = 1_024;

  /// Until it is measured, this many tokens before it are taken to cost as much as a row itself.
  private static final double GUESSED_CONTEXT = 2_000;

  private final int maxRows;
  private final Decodes decodes;
  private final Mean near = new Mean();
  private final Mean far = new Mean();
  private double unmeasuredNanos;
  private int mostRows = FIRST_ROWS / GROWTH;

  /// What rows of about the same context cost, by recent steps.
  private static final class Mean {
    private static final double WEIGHT = 0.4;

    private double context;
    private double rowNanos;
    private boolean known;

    void add(double newContext, double newRowNanos) {
      double weight = known ? WEIGHT : 1;
      context += weight * (newContext - context);
      rowNanos += weight * (newRowNanos - rowNanos);
      known = true;
    }
  }

  /// What sequences that continue take by themselves; empty before it has been measured.
  interface Decodes {
    OptionalLong nanos(int batch, long contextTokens);
  }

  /// @param maxRows what no step exceeds
  PrefillPace(int maxRows, Decodes decodes) {
    this.maxRows = maxRows;
    this.decodes = decodes;
  }

  /// The longest step that is planned beside those who read with this promise: two fifths of the
  /// time that they are promised a token in, since a step may take twice what was planned.
  static long longestBeside(ServiceLevel promise) {
    return promise.tpot().toNanos() * 2 / 5;
  }

  /// What the next step may cost.
  ///
  /// @param batch sequences that continue in it, with so many tokens of context together
  /// @param longest that those bear who feel a pause, by a sequence that continues here or in
  ///   another instance of the device; or [#NOBODY_READS]
  StepBudget next(long longest, int batch, long contextTokens) {
    double decodeNanos = decodeNanos(batch, contextTokens);
    double nanos = Math.max(0, Math.min((double) ALONE_NANOS, longest - decodeNanos));
    double mostNanos = Math.max(nanos, BORNE * (double) longest - decodeNanos);
    int rows = (int) Math.min(maxRows, (long) GROWTH * mostRows);
    if (!near.known && !far.known) {
      return StepBudget.ofRows(rows);
    }
    double contextNanos = contextNanos();
    Mean nearest = near.known ? near : far;
    double rowNanos = Math.max(0, nearest.rowNanos - contextNanos * nearest.context);
    return new StepBudget(rows, nanos, mostNanos, rowNanos, contextNanos);
  }

  /// What so many tokens of a prompt are expected to cost; 0 as long as nothing was measured.
  double nanos(int position, int tokens) {
    return next(NOBODY_READS, 0, 0).cost(position, tokens);
  }

  /// Until it has been measured, as long as steps without prompts took of late.
  private double decodeNanos(int batch, long contextTokens) {
    return batch == 0 ? 0 : decodes.nanos(batch, contextTokens).orElse((long) unmeasuredNanos);
  }

  private double contextNanos() {
    if (near.known && far.known) {
      return Math.max(0, (far.rowNanos - near.rowNanos) / (far.context - near.context));
    }
    Mean only = near.known ? near : far;
    return only.rowNanos / (GUESSED_CONTEXT + only.context);
  }

  /// Says what a step took.
  void took(List<Part> parts, long nanos) {
    int rows = 0;
    double context = 0;
    int batch = 0;
    long batchContext = 0;
    for (Part part : parts) {
      if (part.decodes()) {
        batch++;
        batchContext += part.from() + 1;
      } else {
        rows += part.count();
        context += part.count() * (part.from() + (part.count() - 1) / 2.0);
      }
    }
    if (rows == 0) {
      unmeasuredNanos += (unmeasuredNanos == 0 ? 1 : 0.2) * (nanos - unmeasuredNanos);
    } else if (rows >= Math.min(TELLING_ROWS, maxRows)) {
      mostRows = Math.max(mostRows, rows);
      double rowNanos = Math.max(0, nanos - decodeNanos(batch, batchContext)) / rows;
      (context / rows < FAR ? near : far).add(context / rows, rowNanos);
    }
  }
}
