package dev.weft.runtime.engine;

import dev.weft.autoscaler.admission.InstanceLoad;
import java.util.List;

/// How instances reach the device's thread.
interface DeviceThread {
  /// Queues a task; false when the queue is full or the thread has ended. Never blocks.
  boolean offer(Runnable task);

  /// Runs a task on the device's thread and waits for it; what it throws is thrown here. False when
  /// the thread has ended and the task was not run.
  boolean call(Runnable task);

  /// Whether tasks wait, which may be requests. On the device's thread.
  boolean tasksWait();

  /// Takes an instance out of the round. On the device's thread.
  void remove(Work instance);

  /// Whether another instance has work, which waits while this one runs a step. On the device's
  /// thread.
  default boolean othersHaveWork(Work instance) {
    return longestBesideOthers(instance) != PrefillPace.NOBODY_READS;
  }

  /// The longest step that the others with work bear; [PrefillPace#NOBODY_READS] without any.
  long longestBesideOthers(Work instance);

  /// What all instances have to do and hold, as far as it is known how long their steps take; that
  /// of `instance` is `own`. On the device's thread.
  List<InstanceLoad> demands(Work instance, InstanceLoad own);

  /// The time now, from the engine's clock.
  long nanoTime();
}
