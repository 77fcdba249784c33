package dev.weft.autoscaler.simulation;

/// Who decides in a simulation.
interface Policy {
  /// A request came, was evicted, or is tried again: it joins an instance, or is refused for now.
  boolean place(SimRequest request);

  /// Whether a request that was refused for now is given up.
  boolean givesUp(SimRequest request);

  /// Which of two that wait goes first among equal priorities: the lower number, then the one due
  /// first.
  double turn(SimRequest request);

  /// An instance has nothing to do.
  void idle(SimInstance instance);

  /// A request ended or left; the instance may need less memory.
  void shrunk(SimInstance instance);

  /// The instance's next step needs more KV memory than it has: plans it, and says whether it will
  /// come.
  boolean grow(SimInstance instance, long tokens);

  /// KV tokens that a request is expected to need.
  int neededTokens(SimRequest request);

  /// Nobody makes or removes instances, or somebody does again.
  void pause(boolean pauses);

  /// Whether the step due first runs first.
  boolean byHeadroom();
}
