package dev.weft.runtime.cpu.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// oneDNN's side of one model: weights packed in its layout, and primitives that matrices of the
/// same shape share, one set a worker. Its methods may be called from any thread, one at a time.
public final class OneDnnModel implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(OneDnnModel.class);
  private static final int PANEL = 16;
  private static final int ALIGNMENT = 64;
  // struct weft_onednn_slice: first, count, stream, weights, out[2], then 4 of 4 addresses.
  private static final int SLICE_FIELDS = 6 + 4 * 4;
  // struct weft_onednn: slice_count, slices, and three functions.
  private static final int MODEL_FIELDS = 5;

  private final OneDnnEngine engine;
  private final int workers;
  private final Arena arena = Arena.ofShared();
  private final Map<Shape, MatmulPlan> plans = new HashMap<>();
  private final Map<MatmulPlan, List<MatmulPlan.Bucket>> usable = new HashMap<>();
  private final List<MemorySegment> weights = new ArrayList<>();
  private final Map<Integer, Scratch> scratch = new HashMap<>();

  private record Shape(WeightType type, int inputs, int outputs, int worker) {}

  /// A worker's room for products and their gates.
  private record Scratch(MemorySegment product, MemorySegment gate) {}

  /// @param workers workers of the device
  /// @param widestSlice the most outputs of a matrix that one worker gets; see [#sliceOutputs]
  public OneDnnModel(OneDnnEngine engine, int workers, int widestSlice) {
    this.engine = engine;
    this.workers = workers;
    long bytes = scratchBytes(widestSlice);
    for (int worker = 0; worker < workers; worker++) {
      scratch.put(
          worker, new Scratch(arena.allocate(bytes, ALIGNMENT), arena.allocate(bytes, ALIGNMENT)));
    }
  }

  /// Bytes of one of a worker's two scratch areas.
  public static long scratchBytes(int widestSlice) {
    return (long) MatmulPlan.BUCKETS.getLast() * widestSlice * Integer.BYTES;
  }

  /// Outputs that a worker gets of a matrix: whole panels.
  public static int sliceOutputs(int outputs, int workers) {
    return Math.ceilDiv(Math.ceilDiv(outputs, PANEL), workers) * PANEL;
  }

  /// Whether a matrix of so many outputs can be multiplied here.
  public static boolean supports(int outputs) {
    return outputs % PANEL == 0;
  }

  /// Packs weights and returns the `struct weft_onednn` that multiplies with them, which lives as
  /// long as this; empty when the primitives of this shape fail their check.
  ///
  /// @param rowMajor `[outputs][inputs]`; read only in this call
  public synchronized Optional<MemorySegment> add(
      WeightType type, int inputs, int outputs, MemorySegment rowMajor) {
    int width = sliceOutputs(outputs, workers);
    int count = Math.ceilDiv(outputs, width);
    MemorySegment slices = arena.allocate(JAVA_LONG, (long) count * SLICE_FIELDS);
    for (int worker = 0; worker < count; worker++) {
      int first = worker * width;
      int outputsHere = Math.min(width, outputs - first);
      MatmulPlan plan =
          plans.computeIfAbsent(
              new Shape(type, inputs, outputsHere, worker),
              shape -> new MatmulPlan(engine, type, inputs, outputsHere));
      long rowBytes = (long) inputs * type.bytes();
      MemorySegment part = rowMajor.asSlice(first * rowBytes, outputsHere * rowBytes);
      MemorySegment packed = plan.pack(part, arena.allocate(plan.weightBytes(), ALIGNMENT));
      weights.add(packed);
      List<MatmulPlan.Bucket> buckets =
          usable.computeIfAbsent(plan, unchecked -> check(unchecked, part, packed));
      if (buckets.getFirst().primitive().address() == 0) {
        return Optional.empty();
      }
      write(slices, worker, first, plan, packed, buckets);
    }
    return Optional.of(struct(count, slices));
  }

  /// The plan's buckets, with a null primitive where one gives wrong results.
  private static List<MatmulPlan.Bucket> check(
      MatmulPlan plan, MemorySegment rowMajor, MemorySegment packed) {
    var checked = new ArrayList<MatmulPlan.Bucket>();
    for (int i = 0; i < MatmulPlan.BUCKETS.size(); i++) {
      MatmulPlan.Bucket bucket = plan.buckets().get(i);
      int rows = MatmulPlan.BUCKETS.get(i);
      if (MatmulCheck.passes(plan, rows, bucket, rowMajor, packed)) {
        checked.add(bucket);
        continue;
      }
      log.atWarn()
          .addKeyValue("type", plan.type())
          .addKeyValue("rows", rows)
          .addKeyValue("inputs", plan.inputs())
          .addKeyValue("outputs", plan.outputs())
          .log("oneDNN gives wrong results for this shape; it is not used for it");
      checked.add(
          new MatmulPlan.Bucket(
              MemorySegment.NULL, bucket.source(), bucket.destination(), bucket.scratchpad()));
    }
    return checked;
  }

  private void write(
      MemorySegment slices,
      int worker,
      int first,
      MatmulPlan plan,
      MemorySegment packed,
      List<MatmulPlan.Bucket> buckets) {
    long at = (long) worker * SLICE_FIELDS;
    slices.setAtIndex(JAVA_LONG, at++, first);
    slices.setAtIndex(JAVA_LONG, at++, plan.outputs());
    slices.setAtIndex(ADDRESS, at++, plan.stream());
    slices.setAtIndex(ADDRESS, at++, packed);
    Scratch room = scratch.get(worker);
    slices.setAtIndex(ADDRESS, at++, room == null ? MemorySegment.NULL : room.product());
    slices.setAtIndex(ADDRESS, at++, room == null ? MemorySegment.NULL : room.gate());
    for (MatmulPlan.Bucket bucket : buckets) {
      slices.setAtIndex(ADDRESS, at++, bucket.primitive());
      slices.setAtIndex(ADDRESS, at++, bucket.source());
      slices.setAtIndex(ADDRESS, at++, bucket.destination());
      slices.setAtIndex(ADDRESS, at++, bucket.scratchpad());
    }
  }

  private MemorySegment struct(int count, MemorySegment slices) {
    OneDnn dnnl = engine.library();
    MemorySegment struct = arena.allocate(JAVA_LONG, MODEL_FIELDS);
    struct.setAtIndex(JAVA_LONG, 0, count);
    struct.setAtIndex(ADDRESS, 1, slices);
    struct.setAtIndex(ADDRESS, 2, dnnl.address("dnnl_primitive_execute"));
    struct.setAtIndex(ADDRESS, 3, dnnl.address("dnnl_memory_set_data_handle"));
    struct.setAtIndex(ADDRESS, 4, dnnl.address("omp_set_num_threads"));
    return struct;
  }

  @Override
  public void close() {
    weights.forEach(engine.library()::memoryDestroy);
    plans.values().forEach(MatmulPlan::close);
    arena.close();
  }
}
