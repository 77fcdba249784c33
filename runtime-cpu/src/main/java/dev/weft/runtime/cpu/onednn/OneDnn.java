package dev.weft.runtime.cpu.onednn;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/// Links the oneDNN functions this module calls (`oneapi/dnnl/dnnl.h`, version 3.11). Statuses
/// become [NativeException] here and nowhere else. Created objects come back as addresses; the
/// caller destroys them.
final class OneDnn {
  static final int BF16 = 2;
  static final int F32 = 3;
  static final int S32 = 4;
  static final int S8 = 5;

  static final int ARG_SRC = 1;
  static final int ARG_DST = 17;
  static final int ARG_WEIGHTS = 33;
  static final int ARG_SCRATCHPAD = 80;

  private static final int CPU = 1;
  private static final int STREAM_IN_ORDER = 1;
  private static final int SCRATCHPAD_MODE_USER = 1;
  private static final int QUERY_WEIGHTS_MD = 131;
  private static final int QUERY_SCRATCHPAD_MD = 136;
  private static final int TAG_ANY = 1;

  private final NativeLibrary dnnl;
  private final NativeLibrary gomp;
  private final MethodHandle engineCreate;
  private final MethodHandle engineDestroy;
  private final MethodHandle streamCreate;
  private final MethodHandle streamDestroy;
  private final MethodHandle attrCreate;
  private final MethodHandle attrDestroy;
  private final MethodHandle attrScratchpad;
  private final MethodHandle descStrides;
  private final MethodHandle descTag;
  private final MethodHandle descDestroy;
  private final MethodHandle descSize;
  private final MethodHandle memoryCreate;
  private final MethodHandle memorySetHandle;
  private final MethodHandle memoryDestroy;
  private final MethodHandle matmulDesc;
  private final MethodHandle reorderDesc;
  private final MethodHandle queryMd;
  private final MethodHandle primitiveCreate;
  private final MethodHandle primitiveDestroy;
  private final MethodHandle primitiveDescDestroy;
  private final MethodHandle execute;
  private final MethodHandle setThreads;

  /// @param directory holds `libdnnl.so.3` and `libgomp.so.1`
  /// @throws NativeException when they cannot be loaded
  OneDnn(Path directory) {
    gomp = NativeLibrary.open(directory.resolve("libgomp.so.1"));
    dnnl = NativeLibrary.open(directory.resolve("libdnnl.so.3"));
    engineCreate = link("dnnl_engine_create", ADDRESS, JAVA_INT, JAVA_LONG);
    engineDestroy = link("dnnl_engine_destroy", ADDRESS);
    streamCreate = link("dnnl_stream_create", ADDRESS, ADDRESS, JAVA_INT);
    streamDestroy = link("dnnl_stream_destroy", ADDRESS);
    attrCreate = link("dnnl_primitive_attr_create", ADDRESS);
    attrDestroy = link("dnnl_primitive_attr_destroy", ADDRESS);
    attrScratchpad = link("dnnl_primitive_attr_set_scratchpad_mode", ADDRESS, JAVA_INT);
    descStrides =
        link("dnnl_memory_desc_create_with_strides", ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS);
    descTag =
        link("dnnl_memory_desc_create_with_tag", ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
    descDestroy = link("dnnl_memory_desc_destroy", ADDRESS);
    descSize = dnnl.function("dnnl_memory_desc_get_size", JAVA_LONG, ADDRESS);
    memoryCreate = link("dnnl_memory_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    memorySetHandle = link("dnnl_memory_set_data_handle", ADDRESS, ADDRESS);
    memoryDestroy = link("dnnl_memory_destroy", ADDRESS);
    matmulDesc =
        link(
            "dnnl_matmul_primitive_desc_create",
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS);
    reorderDesc =
        link(
            "dnnl_reorder_primitive_desc_create",
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS,
            ADDRESS);
    queryMd = dnnl.function("dnnl_primitive_desc_query_md", ADDRESS, ADDRESS, JAVA_INT, JAVA_INT);
    primitiveCreate = link("dnnl_primitive_create", ADDRESS, ADDRESS);
    primitiveDestroy = link("dnnl_primitive_destroy", ADDRESS);
    primitiveDescDestroy = link("dnnl_primitive_desc_destroy", ADDRESS);
    execute = link("dnnl_primitive_execute", ADDRESS, ADDRESS, JAVA_INT, ADDRESS);
    setThreads = gomp.procedure("omp_set_num_threads", JAVA_INT);
  }

  private MethodHandle link(String function, MemoryLayout... parameters) {
    return dnnl.function(function, JAVA_INT, parameters);
  }

  /// The address of a function, for native code to call.
  MemorySegment address(String function) {
    NativeLibrary library = function.startsWith("omp_") ? gomp : dnnl;
    return library
        .find(function)
        .orElseThrow(() -> new NativeException(library.name(), "has no function " + function));
  }

  /// How many threads OpenMP uses for what the calling thread runs.
  void setThreads(int threads) {
    try {
      setThreads.invokeExact(threads);
    } catch (Throwable t) {
      throw new AssertionError("omp_set_num_threads", t);
    }
  }

  MemorySegment engineCreate() {
    return created("dnnl_engine_create", out -> (int) engineCreate.invokeExact(out, CPU, 0L));
  }

  void engineDestroy(MemorySegment engine) {
    call("dnnl_engine_destroy", () -> (int) engineDestroy.invokeExact(engine));
  }

  MemorySegment streamCreate(MemorySegment engine) {
    return created(
        "dnnl_stream_create", out -> (int) streamCreate.invokeExact(out, engine, STREAM_IN_ORDER));
  }

  void streamDestroy(MemorySegment stream) {
    call("dnnl_stream_destroy", () -> (int) streamDestroy.invokeExact(stream));
  }

  /// Attributes under which the caller brings the scratchpad: the library's own belongs to the
  /// thread that created the primitive.
  MemorySegment attrWithUserScratchpad() {
    MemorySegment attr =
        created("dnnl_primitive_attr_create", out -> (int) attrCreate.invokeExact(out));
    call(
        "dnnl_primitive_attr_set_scratchpad_mode",
        () -> (int) attrScratchpad.invokeExact(attr, SCRATCHPAD_MODE_USER));
    return attr;
  }

  void attrDestroy(MemorySegment attr) {
    call("dnnl_primitive_attr_destroy", () -> (int) attrDestroy.invokeExact(attr));
  }

  /// A matrix `[rows][columns]` with these strides in elements.
  MemorySegment memoryDesc(
      int type, long rows, long columns, long rowStride, long columnStride, Arena scratch) {
    MemorySegment dims = scratch.allocateFrom(JAVA_LONG, rows, columns);
    MemorySegment strides = scratch.allocateFrom(JAVA_LONG, rowStride, columnStride);
    return created(
        "dnnl_memory_desc_create_with_strides",
        out -> (int) descStrides.invokeExact(out, 2, dims, type, strides));
  }

  /// A matrix in whatever layout the primitive likes best.
  MemorySegment memoryDescAny(int type, long rows, long columns, Arena scratch) {
    MemorySegment dims = scratch.allocateFrom(JAVA_LONG, rows, columns);
    return created(
        "dnnl_memory_desc_create_with_tag",
        out -> (int) descTag.invokeExact(out, 2, dims, type, TAG_ANY));
  }

  void memoryDescDestroy(MemorySegment desc) {
    call("dnnl_memory_desc_destroy", () -> (int) descDestroy.invokeExact(desc));
  }

  long memoryDescSize(MemorySegment desc) {
    try {
      return (long) descSize.invokeExact(desc);
    } catch (Throwable t) {
      throw new AssertionError("dnnl_memory_desc_get_size", t);
    }
  }

  MemorySegment memoryCreate(MemorySegment desc, MemorySegment engine, MemorySegment data) {
    return created(
        "dnnl_memory_create", out -> (int) memoryCreate.invokeExact(out, desc, engine, data));
  }

  void memorySetHandle(MemorySegment memory, MemorySegment data) {
    call("dnnl_memory_set_data_handle", () -> (int) memorySetHandle.invokeExact(memory, data));
  }

  void memoryDestroy(MemorySegment memory) {
    call("dnnl_memory_destroy", () -> (int) memoryDestroy.invokeExact(memory));
  }

  MemorySegment matmulDesc(
      MemorySegment engine,
      MemorySegment source,
      MemorySegment weights,
      MemorySegment destination,
      MemorySegment attr) {
    return created(
        "dnnl_matmul_primitive_desc_create",
        out ->
            (int)
                matmulDesc.invokeExact(
                    out, engine, source, weights, MemorySegment.NULL, destination, attr));
  }

  MemorySegment reorderDesc(MemorySegment engine, MemorySegment from, MemorySegment to) {
    return created(
        "dnnl_reorder_primitive_desc_create",
        out -> (int) reorderDesc.invokeExact(out, from, engine, to, engine, MemorySegment.NULL));
  }

  /// The layout that a primitive wants its weights in; owned by the descriptor.
  MemorySegment weightsDesc(MemorySegment primitiveDesc) {
    return query(primitiveDesc, QUERY_WEIGHTS_MD);
  }

  MemorySegment scratchpadDesc(MemorySegment primitiveDesc) {
    return query(primitiveDesc, QUERY_SCRATCHPAD_MD);
  }

  private MemorySegment query(MemorySegment primitiveDesc, int what) {
    try {
      return (MemorySegment) queryMd.invokeExact(primitiveDesc, what, 0);
    } catch (Throwable t) {
      throw new AssertionError("dnnl_primitive_desc_query_md", t);
    }
  }

  MemorySegment primitiveCreate(MemorySegment primitiveDesc) {
    return created(
        "dnnl_primitive_create", out -> (int) primitiveCreate.invokeExact(out, primitiveDesc));
  }

  void primitiveDestroy(MemorySegment primitive) {
    call("dnnl_primitive_destroy", () -> (int) primitiveDestroy.invokeExact(primitive));
  }

  void primitiveDescDestroy(MemorySegment desc) {
    call("dnnl_primitive_desc_destroy", () -> (int) primitiveDescDestroy.invokeExact(desc));
  }

  /// Runs a primitive on the calling thread. `arguments` are pairs of (int index, memory), 16 bytes
  /// each.
  void execute(MemorySegment primitive, MemorySegment stream, MemorySegment arguments) {
    int count = Math.toIntExact(arguments.byteSize() / 16);
    call(
        "dnnl_primitive_execute",
        () -> (int) execute.invokeExact(primitive, stream, count, arguments));
  }

  @FunctionalInterface
  private interface Creation {
    int run(MemorySegment out) throws Throwable;
  }

  @FunctionalInterface
  private interface Call {
    int run() throws Throwable;
  }

  private static MemorySegment created(String function, Creation creation) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(ADDRESS);
      call(function, () -> creation.run(out));
      return out.get(ADDRESS, 0);
    }
  }

  private static void call(String function, Call call) {
    int status;
    try {
      status = call.run();
    } catch (Throwable t) {
      throw new AssertionError(function, t);
    }
    if (status != 0) {
      throw NativeException.status(function, status, meaning(status));
    }
  }

  // dnnl_status_t
  private static String meaning(int status) {
    return switch (status) {
      case 1 -> "out of memory";
      case 2 -> "invalid arguments";
      case 3 -> "unimplemented";
      case 5 -> "runtime error";
      default -> "unknown";
    };
  }
}
