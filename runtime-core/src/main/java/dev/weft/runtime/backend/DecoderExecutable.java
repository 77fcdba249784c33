package dev.weft.runtime.backend;

/// A compiled decoder. Only the device's thread calls it, but for [#adapterBytes] and
/// [#addAdapter].
public interface DecoderExecutable extends AutoCloseable {
  KvLayout kvLayout();

  /// Runs one step: writes K and V of every row into its sequence's blocks, attends over what lies
  /// before, and samples where asked. The batch may be reused once the result has been awaited.
  PendingStep forward(StepBatch batch);

  /// The system may have the memory of these blocks back; they hold nothing that is needed.
  default void releaseBlocks(int[] blocks) {}

  /// Bytes that an adapter takes once it is added. Throws [UnsupportedModelException] where there
  /// can be none. **thread**: any.
  default long adapterBytes(AdapterWeights adapter) {
    throw new UnsupportedModelException("this device runs no adapters");
  }

  /// Prepares an adapter, and returns its handle for [StepBatch.Entry#adapter]: positive, and never
  /// given twice. Copies what it needs. Throws [dev.weft.runtime.weights.ModelFormatException] when
  /// the adapter is not one of this model. **thread**: any, beside a step as well.
  default int addAdapter(AdapterWeights adapter) {
    throw new UnsupportedModelException("this device runs no adapters");
  }

  /// Frees an adapter that no later step names. Closing frees those that are left.
  default void removeAdapter(int handle) {
    throw new IllegalArgumentException("there is no adapter " + handle);
  }

  @Override
  void close();
}
