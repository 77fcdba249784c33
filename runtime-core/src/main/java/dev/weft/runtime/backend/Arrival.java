package dev.weft.runtime.backend;

import java.time.Duration;

/// Weights on their way to a device. A step that begins before all are there waits for those that
/// it comes to, and so do all others of the device. **thread**: any.
public interface Arrival {
  /// All are there.
  Arrival DONE =
      new Arrival() {
        @Override
        public boolean over() {
          return true;
        }

        @Override
        public void await() {}

        @Override
        public void awaitNear(Duration left) {}
      };

  /// Whether steps wait for nothing any more: all are there, or no more will come. Returns at once.
  boolean over();

  /// Waits until all are there. Throws what keeps them from it, as steps do from then on: files
  /// that cannot be read, or that the executable was closed meanwhile.
  void await();

  /// Waits until all are expected to be there after so long. Throws as [#await] does.
  void awaitNear(Duration left);
}
