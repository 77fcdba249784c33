package dev.weft.runtime.engine;

import java.util.concurrent.TimeUnit;

/// How many rows a step of an encoder may have, so that it takes about a second on this machine.
///
/// What a row costs differs by a factor of thousands between models and machines, and no step can
/// be interrupted: one that takes long holds up every stream of the device, cancellations and
/// deadlines with them, and looks to those who watch [Engine#sinceLastTurn] like a loop that hangs.
/// So the first step is small, and those after it grow as far as the time that they took allows.
/// Steps that take up to [#TOO_LONG_NANOS] change nothing, so that noise does not change the
/// chunks. Used by one thread.
final class StepPace {
  /// The least that a bound can be, and the first: less would read the weights for too few rows.
  static final int LEAST_ROWS = 16;

  private static final int GROWTH = 4;
  private static final long TARGET_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long TOO_LONG_NANOS = 2 * TARGET_NANOS;

  private final int maxRows;
  private int rows;

  /// @param maxRows what the bound never exceeds
  StepPace(int maxRows) {
    this.maxRows = maxRows;
    rows = Math.min(LEAST_ROWS, maxRows);
  }

  /// Rows that the next step may have.
  int rows() {
    return rows;
  }

  /// Says what a step took.
  void took(int stepRows, long nanos) {
    long fitting = stepRows * TARGET_NANOS / Math.max(1, nanos);
    if (nanos > TOO_LONG_NANOS) {
      rows = (int) Math.clamp(fitting, Math.min(LEAST_ROWS, rows), (long) rows);
    } else if (stepRows >= rows) {
      // A smaller step says nothing of what a full one takes.
      rows = (int) Math.clamp(fitting, (long) rows, Math.min((long) GROWTH * rows, maxRows));
    }
  }
}
