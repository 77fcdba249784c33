package dev.weft.runtime.server;

import java.util.ArrayList;
import java.util.List;

/// A client's leaving before its answer was complete. Happens at most once; thread-safe.
final class Departure {
  private final List<Runnable> actions = new ArrayList<>();
  private boolean happened;
  private boolean forgotten;

  synchronized boolean happened() {
    return happened;
  }

  /// Runs `action` when it happens, at once when it has.
  void then(Runnable action) {
    synchronized (this) {
      if (!happened) {
        actions.add(action);
        return;
      }
    }
    action.run();
  }

  void happen() {
    List<Runnable> due;
    synchronized (this) {
      if (happened || forgotten) {
        return;
      }
      happened = true;
      due = List.copyOf(actions);
      actions.clear();
    }
    due.forEach(Runnable::run);
  }

  /// The answer is complete: a connection that closes now has no meaning.
  synchronized void forget() {
    forgotten = true;
    actions.clear();
  }
}
