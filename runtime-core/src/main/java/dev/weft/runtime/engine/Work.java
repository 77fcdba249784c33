package dev.weft.runtime.engine;

/// An instance as the device's loop sees it. Only the device's thread calls it.
interface Work {
  boolean hasWork();

  /// Runs one step. Contains failures of the step; what it throws is a bug in the engine.
  void turn();

  /// Called now and then while nobody has work.
  default void idle() {}

  /// Ends everything with an internal error, after a bug.
  void fail(Throwable cause);

  /// Ends everything with `UNLOADED` and closes the executable.
  void end();
}
