package dev.weft.runtime.backend;

import dev.weft.runtime.model.AdapterWeights;
import java.lang.foreign.MemorySegment;

/// A compiled decoder. Only the device's thread calls it, but for [#adapterBytes] and
/// [#addAdapter].
public interface DecoderExecutable extends AutoCloseable {
  KvLayout kvLayout();

  /// What the bytes of [#saveBlocks] mean to others. **thread**: any.
  KvFormat kvFormat();

  /// Weights that were still on their way when this was compiled. **thread**: any.
  default Arrival arrival() {
    return Arrival.DONE;
  }

  /// Runs one step: writes K and V of every row into its sequence's blocks, attends over what lies
  /// before, and samples where asked. The batch may be reused once the result has been awaited.
  PendingStep forward(StepBatch batch);

  /// Whether a step can be submitted while the one before it has not been awaited, with tokens that
  /// that one chooses ([StepBatch.Entry#chosenBy]): it runs after that one. All else that is asked
  /// for meanwhile happens after both. Two steps may be under way, no more. **thread**: any.
  default boolean runsAhead() {
    return false;
  }

  /// Gets the memory to compute in that a step of up to so many rows needs, for which others, the
  /// sequences of this decoder among them, may have to give up memory: so before a step is planned.
  default void prepare(int rows) {}

  /// A step of so many rows, or of a multiple, takes no longer than one of a few rows less: they
  /// meet the weights together. 1 where every row costs its own. **thread**: any.
  default int rowsAtOnce() {
    return 1;
  }

  /// Threads that take small steps, as many as were found to be fastest; 0 where there is nothing
  /// to choose. **thread**: any.
  default int workers() {
    return 0;
  }

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

  /// Moves the contents of block `from[i]` to block `to[i]`. No block is in both arrays. What is
  /// left in `from` is of no use.
  void moveBlocks(int[] from, int[] to);

  /// Copies the contents of these blocks to `target`, one after the other, each
  /// [KvLayout#blockBytes] long. The bytes are as [#kvFormat] says, and no other executable's.
  void saveBlocks(int[] blocks, MemorySegment target);

  /// Takes back what [#saveBlocks] gave, into these blocks, which may be others: every row computed
  /// afterwards is, bit for bit, what it would have been.
  void loadBlocks(int[] blocks, MemorySegment source);

  /// Where blocks may wait in the host's memory, and come back from, without the device's thread
  /// waiting for it.
  default HostBlocks hostBlocks() {
    return HostBlocks.NONE;
  }

  @Override
  void close();
}
