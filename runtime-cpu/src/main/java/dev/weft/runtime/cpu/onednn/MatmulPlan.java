package dev.weft.runtime.cpu.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// One worker's primitives for products of `[rows][inputs]` with `[inputs][outputs]`, one a bucket
/// of rows, and the layout of weights that they share. Not thread-safe: one worker runs it.
final class MatmulPlan implements AutoCloseable {
  /// Rows of a call; `weft.h` has the same.
  static final List<Integer> BUCKETS = List.of(32, 64, 128, 256);

  private static final int ALIGNMENT = 64;
  private static final int GROUP = 32;

  private final OneDnnEngine engine;
  private final OneDnn dnnl;
  private final WeightType type;
  private final int inputs;
  private final int outputs;
  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment> primitiveDescs = new ArrayList<>();
  private final List<Bucket> buckets = new ArrayList<>();
  private final MemorySegment stream;
  private final MemorySegment weightsDesc;

  /// Native objects of one bucket.
  record Bucket(
      MemorySegment primitive,
      MemorySegment source,
      MemorySegment destination,
      MemorySegment scratchpad) {}

  MatmulPlan(OneDnnEngine engine, WeightType type, int inputs, int outputs) {
    this.engine = engine;
    this.dnnl = engine.library();
    this.type = type;
    this.inputs = inputs;
    this.outputs = outputs;
    // One team a device: oneDNN splits its work when a primitive is made.
    dnnl.setThreads(1);
    stream = dnnl.streamCreate(engine.address());
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment any = dnnl.memoryDescAny(type.weights(), inputs, outputs, scratch);
      MemorySegment largest = primitiveDesc(BUCKETS.getLast(), any, scratch);
      dnnl.memoryDescDestroy(any);
      weightsDesc = dnnl.weightsDesc(largest);
      for (int rows : BUCKETS) {
        MemorySegment desc = primitiveDesc(rows, weightsDesc, scratch);
        buckets.add(bucket(rows, desc, scratch));
      }
    }
  }

  private MemorySegment primitiveDesc(int rows, MemorySegment weights, Arena scratch) {
    MemorySegment source = sourceDesc(rows, scratch);
    MemorySegment destination = destinationDesc(rows, scratch);
    MemorySegment attr = dnnl.attrWithUserScratchpad();
    MemorySegment desc = dnnl.matmulDesc(engine.address(), source, weights, destination, attr);
    primitiveDescs.add(desc);
    dnnl.attrDestroy(attr);
    dnnl.memoryDescDestroy(source);
    dnnl.memoryDescDestroy(destination);
    return desc;
  }

  private MemorySegment sourceDesc(int rows, Arena scratch) {
    return dnnl.memoryDesc(type.source(), rows, inputs, sourceStride(), 1, scratch);
  }

  private MemorySegment destinationDesc(int rows, Arena scratch) {
    return dnnl.memoryDesc(type.destination(), rows, outputs, outputs, 1, scratch);
  }

  /// Elements from row to row: activations come in whole groups.
  int sourceStride() {
    return Math.ceilDiv(inputs, GROUP) * GROUP;
  }

  private Bucket bucket(int rows, MemorySegment desc, Arena scratch) {
    MemorySegment source = sourceDesc(rows, scratch);
    MemorySegment destination = destinationDesc(rows, scratch);
    MemorySegment pad = dnnl.scratchpadDesc(desc);
    MemorySegment padBytes =
        arena.allocate(Math.max(ALIGNMENT, dnnl.memoryDescSize(pad)), ALIGNMENT);
    var bucket =
        new Bucket(
            dnnl.primitiveCreate(desc),
            dnnl.memoryCreate(source, engine.address(), MemorySegment.NULL),
            dnnl.memoryCreate(destination, engine.address(), MemorySegment.NULL),
            dnnl.memoryCreate(pad, engine.address(), padBytes));
    dnnl.memoryDescDestroy(source);
    dnnl.memoryDescDestroy(destination);
    return bucket;
  }

  List<Bucket> buckets() {
    return buckets;
  }

  MemorySegment stream() {
    return stream;
  }

  int inputs() {
    return inputs;
  }

  int outputs() {
    return outputs;
  }

  WeightType type() {
    return type;
  }

  /// Bytes of packed weights.
  long weightBytes() {
    return dnnl.memoryDescSize(weightsDesc);
  }

  /// Packs weights `[outputs][inputs]`, row-major, into `packed`; returns their memory object,
  /// which the caller destroys.
  MemorySegment pack(MemorySegment rowMajor, MemorySegment packed) {
    try (Arena scratch = Arena.ofConfined()) {
      dnnl.setThreads(1);
      MemorySegment plain = dnnl.memoryDesc(type.weights(), inputs, outputs, 1, inputs, scratch);
      MemorySegment from = dnnl.memoryCreate(plain, engine.address(), rowMajor);
      MemorySegment to = dnnl.memoryCreate(weightsDesc, engine.address(), packed);
      MemorySegment desc = dnnl.reorderDesc(engine.address(), plain, weightsDesc);
      MemorySegment reorder = dnnl.primitiveCreate(desc);
      // DNNL_ARG_FROM and DNNL_ARG_TO are DNNL_ARG_SRC and DNNL_ARG_DST.
      dnnl.execute(
          reorder,
          stream,
          arguments(scratch, List.of(OneDnn.ARG_SRC, OneDnn.ARG_DST), List.of(from, to)));
      dnnl.primitiveDestroy(reorder);
      dnnl.primitiveDescDestroy(desc);
      dnnl.memoryDestroy(from);
      dnnl.memoryDescDestroy(plain);
      return to;
    }
  }

  /// Runs a bucket on the calling thread.
  void run(Bucket bucket, MemorySegment source, MemorySegment weights, MemorySegment destination) {
    try (Arena scratch = Arena.ofConfined()) {
      dnnl.setThreads(1);
      dnnl.memorySetHandle(bucket.source(), source);
      dnnl.memorySetHandle(bucket.destination(), destination);
      dnnl.execute(
          bucket.primitive(),
          stream,
          arguments(
              scratch,
              List.of(OneDnn.ARG_SRC, OneDnn.ARG_WEIGHTS, OneDnn.ARG_DST, OneDnn.ARG_SCRATCHPAD),
              List.of(bucket.source(), weights, bucket.destination(), bucket.scratchpad())));
    }
  }

  private static MemorySegment arguments(
      Arena scratch, List<Integer> indexes, List<MemorySegment> memories) {
    MemorySegment arguments = scratch.allocate(16L * indexes.size(), 8);
    for (int i = 0; i < indexes.size(); i++) {
      arguments.set(JAVA_INT, 16L * i, indexes.get(i));
      arguments.set(ADDRESS, 16L * i + 8, memories.get(i));
    }
    return arguments;
  }

  @Override
  public void close() {
    for (Bucket bucket : buckets) {
      dnnl.primitiveDestroy(bucket.primitive());
      dnnl.memoryDestroy(bucket.source());
      dnnl.memoryDestroy(bucket.destination());
      dnnl.memoryDestroy(bucket.scratchpad());
    }
    primitiveDescs.forEach(dnnl::primitiveDescDestroy);
    dnnl.streamDestroy(stream);
    arena.close();
  }
}
