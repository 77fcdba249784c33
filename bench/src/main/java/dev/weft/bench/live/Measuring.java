package dev.weft.bench.live;

import dev.weft.bench.Spread;
import dev.weft.bench.load.DeviceControl;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.PerformanceTable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// Has a device measure its steps, as it does for every model while nobody calls, one model after
/// the other, and times loads and unloads of what it has loaded before. Leaves it empty. Each
/// device measures for itself.
final class Measuring {
  private final List<LiveFunction> functions;
  private final Map<String, Revision> revisions;

  /// @param revisions by function
  Measuring(List<LiveFunction> functions, Map<String, Revision> revisions) {
    this.functions = functions;
    this.revisions = revisions;
  }

  Measured of(DeviceControl device) throws IOException, InterruptedException {
    for (LiveFunction function : functions) {
      // The first load packs weights, which must not go on while steps are timed.
      device.load(revision(function));
      device.unload(revision(function).id());
    }
    Map<String, PerformanceTable> tables = new HashMap<>();
    Map<String, Long> weightBytes = new HashMap<>();
    for (LiveFunction function : functions) {
      device.load(revision(function));
      InstanceStatus instance =
          device.await(revision(function).id(), status -> status.profile() != null);
      tables.put(function.shape().name(), Objects.requireNonNull(instance.profile()));
      weightBytes.put(function.shape().name(), instance.weightBytes());
      device.unload(revision(function).id());
    }
    List<Double> loads = new ArrayList<>();
    List<Double> unloads = new ArrayList<>();
    for (LiveFunction function : functions) {
      long begin = System.nanoTime();
      device.load(revision(function));
      long loaded = System.nanoTime();
      device.unload(revision(function).id());
      loads.add((double) (loaded - begin));
      unloads.add((double) (System.nanoTime() - loaded));
    }
    return new Measured(
        device.name(),
        tables,
        weightBytes,
        (long) Spread.of(loads).median(),
        (long) Spread.of(unloads).median());
  }

  /// The same with the step times as the device knows them now, of the models that it has.
  Measured after(DeviceControl device, Measured before) throws IOException, InterruptedException {
    Map<RevisionId, PerformanceTable> known = new HashMap<>();
    for (InstanceStatus instance : device.status().instances()) {
      PerformanceTable profile = instance.profile();
      if (profile != null) {
        known.put(instance.revision(), profile);
      }
    }
    Map<String, PerformanceTable> tables = new HashMap<>();
    for (LiveFunction function : functions) {
      PerformanceTable table = known.get(revision(function).id());
      if (table != null) {
        // Of two functions with one model the first is the one that is called more.
        tables.putIfAbsent(function.shape().name(), table);
      }
    }
    before.tables().forEach(tables::putIfAbsent);
    return new Measured(
        before.device(), tables, before.weightBytes(), before.loadNanos(), before.unloadNanos());
  }

  private Revision revision(LiveFunction function) {
    return Objects.requireNonNull(revisions.get(function.name()));
  }
}
