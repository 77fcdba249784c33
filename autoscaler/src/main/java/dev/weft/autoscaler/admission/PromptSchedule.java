package dev.weft.autoscaler.admission;

import java.util.Arrays;

/// When the prompts that wait on a device are computed, in the order in which their first tokens
/// are due, and what is left of the time until then once the tokens that others are owed meanwhile
/// have been made.
///
/// An instance owes tokens from when the next of its sequences' is due, not before: a sequence that
/// is ahead of its promise leaves its time to prompts, and a prompt that waits is owed nothing but
/// its first token until that has come.
final class PromptSchedule {
  private final long begin;
  private long[] deadlines = new long[8];
  private long[] durations = new long[8];
  private int[] owners = new int[8];
  private int size;
  private long[] readyAt = new long[8];
  private long[] dueAt = new long[8];
  private long[] tokenNanos = new long[8];
  private long[] stepNanos = new long[8];
  private int instances;

  PromptSchedule(long begin) {
    this.begin = begin;
  }

  /// Adds an instance; what is added by [#prompt] is its.
  ///
  /// @param stepNanos the time of a step that gives all of its sequences a token
  void instance(InstanceLoad load, long stepNanos) {
    if (instances == readyAt.length) {
      readyAt = Arrays.copyOf(readyAt, 2 * instances);
      dueAt = Arrays.copyOf(dueAt, 2 * instances);
      tokenNanos = Arrays.copyOf(tokenNanos, 2 * instances);
      this.stepNanos = Arrays.copyOf(this.stepNanos, 2 * instances);
    }
    readyAt[instances] = load.readyAt();
    dueAt[instances] = load.tokensDueAt();
    tokenNanos[instances] = load.tokenNanos();
    this.stepNanos[instances++] = stepNanos;
  }

  /// Adds a prompt of the instance that was added last, and gives its number.
  int prompt(long deadline, long duration) {
    if (size == deadlines.length) {
      deadlines = Arrays.copyOf(deadlines, 2 * size);
      durations = Arrays.copyOf(durations, 2 * size);
      owners = Arrays.copyOf(owners, 2 * size);
    }
    deadlines[size] = deadline;
    durations[size] = duration;
    owners[size] = instances - 1;
    return size++;
  }

  /// How much earlier than due prompt `own` and those due after it are computed, the least of them.
  long slackFrom(int own) {
    long least = Long.MAX_VALUE;
    long time = begin;
    long busySince = begin;
    for (int left = size; left > 0; left--) {
      int next = next(time);
      int owner = owners[next];
      if (readyAt[owner] > time) {
        time = readyAt[owner];
        busySince = time;
      }
      time += durations[next];
      durations[next] = -1;
      long deadline = deadlines[next];
      if (next == own || deadline > deadlines[own]) {
        least = Math.min(least, deadline - time - owed(busySince, deadline));
      }
      if (dueAt[owner] == Long.MAX_VALUE) {
        dueAt[owner] = time + tokenNanos[owner];
      }
    }
    return least;
  }

  /// The time of the steps that are owed between two times.
  private long owed(long from, long until) {
    long nanos = 0;
    for (int i = 0; i < instances; i++) {
      long begin = Math.max(from, dueAt[i]);
      if (begin < until) {
        nanos += ((until - begin) / tokenNanos[i] + 1) * stepNanos[i];
      }
    }
    return nanos;
  }

  private int next(long time) {
    int best = -1;
    for (int i = 0; i < size; i++) {
      if (durations[i] >= 0 && (best < 0 || before(i, best, time))) {
        best = i;
      }
    }
    return best;
  }

  private boolean before(int a, int b, long time) {
    long readyA = readyAt[owners[a]];
    long readyB = readyAt[owners[b]];
    boolean ready = readyA <= time;
    if (ready != (readyB <= time)) {
      return ready;
    }
    return (ready || readyA == readyB) ? deadlines[a] < deadlines[b] : readyA < readyB;
  }
}
