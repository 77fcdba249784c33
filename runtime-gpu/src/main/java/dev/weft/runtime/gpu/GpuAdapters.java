package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// The adapters of a decoder by their handles, and which rows of a step have which: `struct Run` of
/// `adapters.cuh`, up to [#RUN_ROWS] rows that have the same one.
///
/// **thread**: any for [#bytes] and [#add]; the device's for all else.
final class GpuAdapters implements AutoCloseable {
  private static final int RUN_ROWS = 8;
  private static final long RUN_BYTES = 48;
  private static final long COUNT = 8;
  private static final long ROWS = 12;

  private final DecoderSpec spec;
  private final CompileOptions options;
  private final GpuDevice device;
  private final WeightLoader loader;
  private final Map<Integer, GpuAdapter> adapters = new ConcurrentHashMap<>();
  private final AtomicInteger lastHandle = new AtomicInteger();

  GpuAdapters(DecoderSpec spec, CompileOptions options, GpuDevice device, WeightLoader loader) {
    this.spec = spec;
    this.options = options;
    this.device = device;
    this.loader = loader;
  }

  /// Bytes of the runs that kernels are submitted for, as [#fill] says.
  static long runBytes(int runs) {
    return runs * RUN_BYTES;
  }

  /// Bytes of the runs of so many rows, at most.
  static long mostRunBytes(int rows) {
    return runBytes(gridRuns(rows));
  }

  /// What an adapter takes. Throws [dev.weft.runtime.weights.ModelFormatException] when it is not
  /// one of this model, as [#add] does.
  long bytes(AdapterWeights adapter) {
    adapter.requireFits(spec);
    return GpuAdapter.bytes(adapter, spec.layerCount(), options.maxBatchTokens());
  }

  int add(AdapterWeights adapter) {
    DeviceBuffer buffer = loader.allocate(bytes(adapter));
    try {
      device.load(List.of(KernelUnit.ADAPTERS));
      int handle = lastHandle.incrementAndGet();
      adapters.put(
          handle,
          GpuAdapter.fill(device, buffer, adapter, spec.layerCount(), options.maxBatchTokens()));
      return handle;
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  void remove(int handle) {
    GpuAdapter adapter = adapters.remove(handle);
    if (adapter == null) {
      throw unknown(handle);
    }
    device.context().bind();
    // A step that has it may be under way.
    device.stream().synchronize();
    adapter.close();
  }

  /// Throws [IllegalArgumentException] where an entry has an adapter that is not there.
  void requireKnown(StepBatch.Entry entry) {
    if (entry.adapter() != StepBatch.Entry.NO_ADAPTER && !adapters.containsKey(entry.adapter())) {
      throw unknown(entry.adapter());
    }
  }

  private static IllegalArgumentException unknown(int handle) {
    return new IllegalArgumentException("there is no adapter " + handle);
  }

  /// Writes which rows of a step have which adapter, and returns how many runs kernels are to be
  /// submitted for: 0 where no row has one, else a few more than there are, so that steps seldom
  /// differ.
  int fill(StepBatch batch, MemorySegment to) {
    int runs = 0;
    // Of each adapter its last run.
    Map<Integer, Integer> open = new HashMap<>();
    int row = 0;
    for (StepBatch.Entry entry : batch.entries()) {
      int rows = entry.tokens().length;
      GpuAdapter adapter = adapters.get(entry.adapter());
      if (adapter != null) {
        for (int i = 0; i < rows; i++) {
          Integer run = open.get(entry.adapter());
          if (run == null || count(to, run) == RUN_ROWS) {
            run = runs++;
            open.put(entry.adapter(), run);
            to.set(JAVA_LONG, run * RUN_BYTES, adapter.buffer().address());
            to.set(JAVA_INT, run * RUN_BYTES + COUNT, 0);
          }
          add(to, run, row + i);
        }
      }
      row += rows;
    }
    int submitted = runs == 0 ? 0 : gridRuns(runs);
    for (int run = runs; run < submitted; run++) {
      to.set(JAVA_INT, run * RUN_BYTES + COUNT, 0);
    }
    return submitted;
  }

  private static int count(MemorySegment runs, int run) {
    return runs.get(JAVA_INT, run * RUN_BYTES + COUNT);
  }

  private static void add(MemorySegment runs, int run, int row) {
    int count = count(runs, run);
    runs.set(JAVA_INT, run * RUN_BYTES + ROWS + count * 4L, row);
    runs.set(JAVA_INT, run * RUN_BYTES + COUNT, count + 1);
  }

  private static int gridRuns(int runs) {
    return Math.max(1, Integer.highestOneBit(Math.max(1, 2 * runs - 1)));
  }

  @Override
  public void close() {
    adapters.values().forEach(GpuAdapter::close);
  }
}
