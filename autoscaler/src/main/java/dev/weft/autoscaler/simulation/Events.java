package dev.weft.autoscaler.simulation;

import java.util.PriorityQueue;

/// What is to happen, by time, and in the order in which it was asked for among equals.
final class Events {
  private final PriorityQueue<Event> queue = new PriorityQueue<>();
  private long now;
  private long asked;

  long now() {
    return now;
  }

  void at(long time, Runnable action) {
    queue.add(new Event(Math.max(now, time), asked++, action));
  }

  /// When the next event is; `Long.MAX_VALUE` when there is none.
  long next() {
    Event event = queue.peek();
    return event == null ? Long.MAX_VALUE : event.at;
  }

  void runNext() {
    Event event = queue.remove();
    now = event.at;
    event.action.run();
  }

  /// Moves the clock to something that is not in the queue.
  void advanceTo(long time) {
    now = Math.max(now, time);
  }

  private record Event(long at, long order, Runnable action) implements Comparable<Event> {
    @Override
    public int compareTo(Event other) {
      return at != other.at ? Long.compare(at, other.at) : Long.compare(order, other.order);
    }
  }
}
