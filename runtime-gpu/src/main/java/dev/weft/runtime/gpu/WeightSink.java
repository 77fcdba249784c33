package dev.weft.runtime.gpu;

import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;

/// Takes the bytes that a [WeightLayout] has a place for.
interface WeightSink {
  /// @param data of a file, which stays open until the sink is closed
  /// @param at counted from the layout's beginning
  void file(MemorySegment data, long at);

  /// @param data asked for once before the sink is closed, by any thread
  void computed(Supplier<MemorySegment> data, long at);

  /// Says that what was given since the last stage is used together.
  ///
  /// @param end of it, counted from the layout's beginning
  default void endStage(long end) {}
}
