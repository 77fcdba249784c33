package dev.weft.bench.live;

import dev.weft.functions.instance.PerformanceTable;
import java.util.Map;

/// What was measured of a device before the replays.
///
/// @param tables how long steps take, by the model's shape
/// @param weightBytes by the model's shape
/// @param loadNanos how long a load takes whose weights are near: the median over the functions
/// @param unloadNanos the same of an unload
record Measured(
    String device,
    Map<String, PerformanceTable> tables,
    Map<String, Long> weightBytes,
    long loadNanos,
    long unloadNanos) {
  Measured {
    tables = Map.copyOf(tables);
    weightBytes = Map.copyOf(weightBytes);
  }
}
