package dev.weft.runtime.scheduling;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// Divides what a step has left for prompts among these. A quarter goes to the oldest, so that it
/// ends however many shorter ones arrive, in at most four times the time that it would take alone;
/// the rest goes to those nearest to their first token (shortest remaining first), so that a short
/// prompt does not wait behind a long one. Where rows cost as much as fewer, what is left of a
/// multiple of them is filled up, or given back if it is little.
final class PrefillShares {
  /// Rows of the oldest prompt in every step: fewer would read the weights for next to nothing.
  static final int LEAST_ROWS = 8;

  /// Rows that it has even where those take longer than readers bear, so that it ends.
  private static final int FEWEST_ROWS = 2;

  private static final int OLDEST_SHARE = 4;

  /// Rows that the oldest keeps.
  private static final int KEPT_ROWS = LEAST_ROWS / 2;

  private final StepBudget budget;
  private final int maxScoredRows;
  private int rows;
  private double nanos;

  /// What a step's rows come to in all.
  ///
  /// @param beside rows of the step that are not of prompts
  /// @param atOnce what their number should be a multiple of
  /// @param most rows that prompts may have, to fill up
  record Fill(int beside, int atOnce, int most) {}

  /// @param rows that prompts may have in this step
  PrefillShares(StepBudget budget, int rows, int maxScoredRows) {
    this.budget = budget;
    this.maxScoredRows = maxScoredRows;
    this.rows = rows;
    nanos = budget.nanos();
  }

  /// The rows of each prompt, in the order given.
  ///
  /// @param prompts the oldest first
  int[] divide(List<Sequence> prompts, Fill fill) {
    int[] chunks = new int[prompts.size()];
    if (prompts.isEmpty()) {
      return chunks;
    }
    chunks[0] = oldest(prompts.getFirst());
    var shortestFirst = new ArrayList<Integer>();
    for (int i = 0; i < chunks.length; i++) {
      shortestFirst.add(i);
    }
    shortestFirst.sort(Comparator.comparingInt(i -> prompts.get(i).pending()));
    for (int i : shortestFirst) {
      chunks[i] += take(prompts.get(i), chunks[i], rows, nanos);
    }
    fill(prompts, shortestFirst, chunks, fill);
    return chunks;
  }

  private void fill(List<Sequence> prompts, List<Integer> order, int[] chunks, Fill fill) {
    int taken = IntStream.of(chunks).sum();
    int over = (fill.beside() + taken) % fill.atOnce();
    if (over == 0) {
      return;
    }
    int spare = IntStream.range(0, chunks.length).map(i -> spare(prompts, chunks, i)).sum();
    if (2 * over < fill.atOnce() && over <= spare) {
      giveBack(prompts, order.reversed(), chunks, over);
    } else {
      rows = Math.min(fill.atOnce() - over, fill.most() - taken);
      for (int i : order) {
        chunks[i] += take(prompts.get(i), chunks[i], rows, Double.POSITIVE_INFINITY);
      }
    }
  }

  private static void giveBack(
      List<Sequence> prompts, List<Integer> order, int[] chunks, int count) {
    int left = count;
    for (int i : order) {
      int back = Math.min(left, spare(prompts, chunks, i));
      chunks[i] -= back;
      left -= back;
    }
  }

  /// Rows that a prompt may give back: none of one that ends in this step, and the oldest gets on.
  private static int spare(List<Sequence> prompts, int[] chunks, int i) {
    if (chunks[i] == prompts.get(i).pending()) {
      return 0;
    }
    return i == 0 ? Math.max(0, chunks[0] - KEPT_ROWS) : chunks[i];
  }

  private int oldest(Sequence sequence) {
    int share = take(sequence, 0, Math.ceilDiv(rows, OLDEST_SHARE), nanos / OLDEST_SHARE);
    double left = Math.max(0, budget.mostNanos() - budget.cost(sequence.computed(), share));
    int least = share + take(sequence, share, LEAST_ROWS - share, left);
    return least + take(sequence, least, FEWEST_ROWS - least, Double.POSITIVE_INFINITY);
  }

  private int take(Sequence sequence, int already, int mostRows, double mostNanos) {
    int chunk = sequence.scored() ? maxScoredRows : Integer.MAX_VALUE;
    int wanted = Math.min(chunk, sequence.pending()) - already;
    int most = Math.max(0, Math.min(wanted, Math.min(rows, mostRows)));
    int position = sequence.computed() + already;
    int taken = budget.rowsWithin(mostNanos, position, most);
    rows -= taken;
    nanos = Math.max(0, nanos - budget.cost(position, taken));
    return taken;
  }
}
