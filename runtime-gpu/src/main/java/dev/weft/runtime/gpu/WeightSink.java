package dev.weft.runtime.gpu;

import java.lang.foreign.MemorySegment;

/// Takes the bytes that a [WeightLayout] has a place for.
interface WeightSink {
  /// @param data of a file, which stays open until the sink is closed
  /// @param at counted from the layout's beginning
  void file(MemorySegment data, long at);

  /// @param data is taken before this returns
  void computed(MemorySegment data, long at);
}
