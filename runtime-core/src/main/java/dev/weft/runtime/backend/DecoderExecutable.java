package dev.weft.runtime.backend;

/// A compiled decoder. Only the device's thread calls it.
public interface DecoderExecutable extends AutoCloseable {
  KvLayout kvLayout();

  /// Runs one step: writes K and V of every row into its sequence's blocks, attends over what lies
  /// before, and samples where asked. The batch may be reused once the result has been awaited.
  PendingStep forward(StepBatch batch);

  /// The system may have the memory of these blocks back; they hold nothing that is needed.
  default void releaseBlocks(int[] blocks) {}

  @Override
  void close();
}
