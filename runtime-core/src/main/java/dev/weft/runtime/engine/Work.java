package dev.weft.runtime.engine;

import dev.weft.autoscaler.admission.InstanceLoad;
import java.util.Optional;

/// An instance as the device's loop sees it. Only the device's thread calls it.
interface Work {
  boolean hasWork();

  /// When the next token, or vector, of its requests is due, by the engine's clock;
  /// `Long.MAX_VALUE` when nobody waits for one that can be in time.
  long due();

  /// Whether one of its requests cannot be in time any more.
  default boolean lost() {
    return false;
  }

  /// The longest step of another that those who wait here bear.
  long longestBeside();

  /// How much it counts where not all can be in time.
  int priority();

  /// The most steps of one grant while nobody is in a hurry.
  int quota();

  /// What it has to do and holds, as admission sees it; empty where nothing is known of how long
  /// its steps take.
  Optional<? extends InstanceLoad> demand();

  /// What its running sequences hold of KV memory; empty where it has none.
  default Optional<KvHoldings> kvHoldings() {
    return Optional.empty();
  }

  /// Says how much KV memory its running sequences are expected to need soon.
  default void expectKv(long bytes) {}

  /// Whether it has submitted a step that its next turn ends: no other has a turn before that.
  default boolean underWay() {
    return false;
  }

  /// Runs one step. Contains failures of the step; what it throws is a bug in the engine.
  void turn();

  /// Called now and then while nobody has work.
  default void idle() {}

  /// Ends everything with an internal error, after a bug.
  void fail(Throwable cause);

  /// Ends everything with `UNLOADED` and closes the executable.
  void end();
}
