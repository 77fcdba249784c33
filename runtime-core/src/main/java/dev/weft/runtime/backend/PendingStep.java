package dev.weft.runtime.backend;

/// A step under way. [#await] blocks until it is done, once; the next step may be submitted before,
/// and is awaited after it.
@FunctionalInterface
public interface PendingStep {
  StepResult await();
}
