package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import java.util.concurrent.atomic.AtomicInteger;

/// A way into a decoder: to the model as it is, or with one of its adapters. Counts what came in by
/// it and has not ended, so that each has a queue of its own.
final class Entrance {
  private final RevisionId revision;
  private final int adapter;
  private final int capacity;

  /// Those on their way to the device's thread included.
  private final AtomicInteger outstanding = new AtomicInteger();

  private final AtomicInteger started = new AtomicInteger();
  private volatile boolean closed;

  /// @param adapter its handle, or none
  /// @param capacity the most that may be outstanding
  Entrance(RevisionId revision, int adapter, int capacity) {
    this.revision = revision;
    this.adapter = adapter;
    this.capacity = capacity;
  }

  RevisionId revision() {
    return revision;
  }

  int adapter() {
    return adapter;
  }

  boolean tryEnter() {
    if (outstanding.incrementAndGet() > capacity) {
      outstanding.decrementAndGet();
      return false;
    }
    return true;
  }

  void start() {
    started.incrementAndGet();
  }

  void leave(boolean wasStarted) {
    outstanding.decrementAndGet();
    if (wasStarted) {
      started.decrementAndGet();
    }
  }

  int running() {
    return started.get();
  }

  int outstanding() {
    return outstanding.get();
  }

  /// Nothing enters from now on.
  void close() {
    closed = true;
  }

  boolean closed() {
    return closed;
  }
}
