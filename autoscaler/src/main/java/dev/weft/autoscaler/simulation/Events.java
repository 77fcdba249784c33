package dev.weft.autoscaler.simulation;

import java.util.Arrays;

/// What is to happen, by time, and in the order in which it was asked for among equals.
///
/// A binary heap in arrays: a simulated second of a thousand devices is some fifty thousand events.
final class Events {
  private long[] times = new long[64];
  private long[] orders = new long[64];
  private Runnable[] actions = new Runnable[64];
  private int size;
  private long now;
  private long asked;

  long now() {
    return now;
  }

  void at(long time, Runnable action) {
    if (size == times.length) {
      times = Arrays.copyOf(times, 2 * size);
      orders = Arrays.copyOf(orders, 2 * size);
      actions = Arrays.copyOf(actions, 2 * size);
    }
    long at = Math.max(now, time);
    int hole = size++;
    while (hole > 0 && at < times[(hole - 1) / 2]) {
      move((hole - 1) / 2, hole);
      hole = (hole - 1) / 2;
    }
    put(hole, at, asked++, action);
  }

  /// When the next event is; `Long.MAX_VALUE` when there is none.
  long next() {
    return size == 0 ? Long.MAX_VALUE : times[0];
  }

  void runNext() {
    Runnable action = actions[0];
    now = times[0];
    size--;
    int hole = 0;
    for (int child = earlier(1);
        child < size && before(child, size);
        child = earlier(2 * hole + 1)) {
      move(child, hole);
      hole = child;
    }
    put(hole, times[size], orders[size], actions[size]);
    actions[size] = Events::nothing;
    action.run();
  }

  /// The earlier of a child and the one after it; `size` or more when there is none.
  private int earlier(int child) {
    return child + 1 < size && before(child + 1, child) ? child + 1 : child;
  }

  private boolean before(int a, int b) {
    return times[a] < times[b] || (times[a] == times[b] && orders[a] < orders[b]);
  }

  private void move(int from, int to) {
    put(to, times[from], orders[from], actions[from]);
  }

  private void put(int at, long time, long order, Runnable action) {
    times[at] = time;
    orders[at] = order;
    actions[at] = action;
  }

  private static void nothing() {}

  /// Moves the clock to something that is not in the queue.
  void advanceTo(long time) {
    now = Math.max(now, time);
  }
}
