package dev.weft.bench.live;

import dev.weft.functions.FunctionName;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// When instances were being loaded, by what runtimes publish: the cold starts that those who wait
/// for them are promised no quick answer for. **thread**: any.
final class LoadWatch {
  private record Where(DeviceId device, FunctionName function) {}

  /// @param end [Long#MAX_VALUE] while it goes on
  private record Load(FunctionName function, long begin, long end) {
    /// How much of it lies between two moments.
    long within(long from, long to) {
      return Math.max(0, Math.min(end, to) - Math.max(begin, from));
    }
  }

  private final Map<Where, Long> underWay = new HashMap<>();
  private final List<Load> ended = new ArrayList<>();

  /// Takes what a device said at `nanos`.
  synchronized void saw(DeviceStatus status, long nanos) {
    for (InstanceStatus instance : status.instances()) {
      Where where = new Where(status.device(), instance.revision().function());
      if (instance.loading()) {
        underWay.putIfAbsent(where, nanos);
      } else {
        Long begin = underWay.remove(where);
        if (begin != null) {
          ended.add(new Load(where.function(), begin, nanos));
        }
      }
    }
  }

  /// How long a function's cold start held up who waited between two moments: the longest load's
  /// part of that time.
  synchronized long excusedNanos(FunctionName function, long from, long to) {
    long longest = 0;
    for (Load load : ended) {
      if (load.function().equals(function)) {
        longest = Math.max(longest, load.within(from, to));
      }
    }
    for (Map.Entry<Where, Long> entry : underWay.entrySet()) {
      if (entry.getKey().function().equals(function)) {
        Load load = new Load(function, entry.getValue(), Long.MAX_VALUE);
        longest = Math.max(longest, load.within(from, to));
      }
    }
    return longest;
  }

  synchronized int loads() {
    return ended.size();
  }
}
