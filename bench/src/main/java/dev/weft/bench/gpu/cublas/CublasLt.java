package dev.weft.bench.gpu.cublas;

import static dev.weft.runtime.foreign.NativeFunction.address;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// The functions of `libcublasLt` that the benchmark calls, as `cublasLt.h` 13.10 declares them
/// (what is used of it is the same since 12.0): one method a C function, what it returns through a
/// pointer as the result. A status that is not success becomes a [NativeException] here and nowhere
/// else. Handles and device addresses are longs.
public final class CublasLt {
  /// Where a host says that it has cuBLASLt.
  public static final String VARIABLE = "WEFT_CUBLASLT";

  private static final int SUCCESS = 0;

  /// Names that the system may find, the newest first.
  private static final List<String> NAMES = List.of("libcublasLt.so.13", "libcublasLt.so.12");

  /// Bytes of a `cublasLtMatmulAlgo_t`, with which a `cublasLtMatmulHeuristicResult_t` begins.
  static final int ALGORITHM_BYTES = 64;

  /// Bytes of a `cublasLtMatmulHeuristicResult_t`: the algorithm, `size_t workspaceSize`, `int
  /// state`, `float wavesCount`, `int reserved[4]`.
  static final int RESULT_BYTES = 96;

  /// Where a result says whether it can be used.
  static final int RESULT_STATE = 72;

  private final NativeFunction version;
  private final NativeFunction statusName;
  private final NativeFunction statusString;
  private final NativeFunction create;
  private final NativeFunction destroy;
  private final NativeFunction descriptionCreate;
  private final NativeFunction descriptionSet;
  private final NativeFunction descriptionDestroy;
  private final NativeFunction layoutCreate;
  private final NativeFunction layoutDestroy;
  private final NativeFunction preferenceCreate;
  private final NativeFunction preferenceSet;
  private final NativeFunction preferenceDestroy;
  private final NativeFunction algorithmGet;
  private final MethodHandle heuristic;
  private final MethodHandle matmul;

  CublasLt(NativeLibrary library) {
    version = library.function("cublasLtGetVersion");
    statusName = library.function("cublasLtGetStatusName");
    statusString = library.function("cublasLtGetStatusString");
    create = library.function("cublasLtCreate");
    destroy = library.function("cublasLtDestroy");
    descriptionCreate = library.function("cublasLtMatmulDescCreate");
    descriptionSet = library.function("cublasLtMatmulDescSetAttribute");
    descriptionDestroy = library.function("cublasLtMatmulDescDestroy");
    layoutCreate = library.function("cublasLtMatrixLayoutCreate");
    layoutDestroy = library.function("cublasLtMatrixLayoutDestroy");
    preferenceCreate = library.function("cublasLtMatmulPreferenceCreate");
    preferenceSet = library.function("cublasLtMatmulPreferenceSetAttribute");
    preferenceDestroy = library.function("cublasLtMatmulPreferenceDestroy");
    algorithmGet = library.function("cublasLtMatmulAlgoConfigGetAttribute");
    heuristic =
        library.function(
            "cublasLtMatmulAlgoGetHeuristic",
            JAVA_INT,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_INT,
            JAVA_LONG,
            JAVA_LONG);
    matmul =
        library.function(
            "cublasLtMatmul",
            JAVA_INT,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG);
  }

  /// Finds it: where [#VARIABLE] says, else where the system's loader looks.
  ///
  /// @throws NativeException when it is nowhere; the message says what to install
  public static CublasLt find(Map<String, String> environment) {
    return find(environment, NAMES);
  }

  static CublasLt find(Map<String, String> environment, List<String> names) {
    String named = environment.get(VARIABLE);
    if (named != null) {
      return new CublasLt(NativeLibrary.open(Path.of(named)));
    }
    List<NativeException> failures = new ArrayList<>();
    for (String name : names) {
      try {
        return new CublasLt(NativeLibrary.open(name));
      } catch (NativeException e) {
        failures.add(e);
      }
    }
    var failure =
        new NativeException(
            "cuBLASLt (libcublasLt.so)",
            "is not there; install CUDA's toolkit, or the Python package nvidia-cublas and name its"
                + " libcublasLt.so in "
                + VARIABLE);
    failures.forEach(failure::addSuppressed);
    throw failure;
  }

  /// `cudaDataType` of `library_types.h` 13.
  enum DataType {
    FLOAT32(0),
    BFLOAT16(14);

    private final int value;

    DataType(int value) {
      this.value = value;
    }
  }

  /// `cublasComputeType_t` of `cublas_api.h`.
  enum ComputeType {
    FLOAT32(68);

    private final int value;

    ComputeType(int value) {
      this.value = value;
    }
  }

  /// `cublasLtMatmulDescAttributes_t`.
  enum DescriptionAttribute {
    /// A `cublasOperation_t`.
    TRANSA(3);

    private final int value;

    DescriptionAttribute(int value) {
      this.value = value;
    }
  }

  /// `cublasOperation_t`: the matrix is transposed.
  static final int TRANSPOSED = 1;

  /// `cublasLtMatmulPreferenceAttributes_t`.
  enum PreferenceAttribute {
    /// A `uint64_t`.
    MAX_WORKSPACE_BYTES(1);

    private final int value;

    PreferenceAttribute(int value) {
      this.value = value;
    }
  }

  /// `cublasLtMatmulAlgoConfigAttributes_t`, those that are 32 bits wide.
  enum AlgorithmAttribute {
    /// Into how many sums the inputs are cut; 0 and 1 are the same.
    SPLITK_NUM(2);

    private final int value;

    AlgorithmAttribute(int value) {
      this.value = value;
    }
  }

  /// The operands of [#matmul], of which C is D: descriptors and where they lie.
  record Operands(
      long description, long a, long aLayout, long b, long bLayout, long d, long dLayout) {}

  /// Its version, such as `13.1.0`.
  public String version() {
    return versionText(version.call());
  }

  static String versionText(long version) {
    return version / 10_000 + "." + version / 100 % 100 + "." + version % 100;
  }

  /// A handle for the current context's device.
  long create() {
    return longFrom(create);
  }

  void destroy(long handle) {
    check(destroy.name(), (int) destroy.call(handle));
  }

  long matmulDescCreate(ComputeType computeType, DataType scaleType) {
    return longFrom(descriptionCreate, computeType.value, scaleType.value);
  }

  void matmulDescSetAttribute(long description, DescriptionAttribute attribute, int value) {
    try (Arena scratch = Arena.ofConfined()) {
      set(descriptionSet, description, attribute.value, scratch.allocateFrom(JAVA_INT, value));
    }
  }

  void matmulDescDestroy(long description) {
    check(descriptionDestroy.name(), (int) descriptionDestroy.call(description));
  }

  /// @param rows of a column-major matrix
  /// @param leading elements from a column to the next
  long matrixLayoutCreate(DataType type, long rows, long columns, long leading) {
    return longFrom(layoutCreate, type.value, rows, columns, leading);
  }

  void matrixLayoutDestroy(long layout) {
    check(layoutDestroy.name(), (int) layoutDestroy.call(layout));
  }

  long matmulPreferenceCreate() {
    return longFrom(preferenceCreate);
  }

  void matmulPreferenceSetAttribute(long preference, PreferenceAttribute attribute, long value) {
    try (Arena scratch = Arena.ofConfined()) {
      set(preferenceSet, preference, attribute.value, scratch.allocateFrom(JAVA_LONG, value));
    }
  }

  void matmulPreferenceDestroy(long preference) {
    check(preferenceDestroy.name(), (int) preferenceDestroy.call(preference));
  }

  /// How many algorithms it wrote, the one that it takes to be the fastest first.
  ///
  /// @param results room for as many of [#RESULT_BYTES] as are asked for
  int matmulAlgoGetHeuristic(
      long handle, Operands operands, long preference, MemorySegment results) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment count = scratch.allocate(JAVA_INT);
      int status;
      try {
        status =
            (int)
                heuristic.invokeExact(
                    handle,
                    operands.description(),
                    operands.aLayout(),
                    operands.bLayout(),
                    operands.dLayout(),
                    operands.dLayout(),
                    preference,
                    (int) (results.byteSize() / RESULT_BYTES),
                    address(results),
                    address(count));
      } catch (Throwable t) {
        throw new AssertionError("cublasLtMatmulAlgoGetHeuristic", t);
      }
      check("cublasLtMatmulAlgoGetHeuristic", status);
      return count.get(JAVA_INT, 0);
    }
  }

  /// @param algorithm of [#ALGORITHM_BYTES]
  int matmulAlgoConfigGetAttribute(MemorySegment algorithm, AlgorithmAttribute attribute) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment value = scratch.allocate(JAVA_INT);
      int status =
          (int)
              algorithmGet.call(
                  address(algorithm), attribute.value, address(value), value.byteSize(), 0);
      check(algorithmGet.name(), status);
      return value.get(JAVA_INT, 0);
    }
  }

  /// Submits `D = alpha * op(A) * op(B) + beta * D`.
  ///
  /// @param alpha and `beta`: float32 on the host, read before it returns
  /// @param stream a `CUstream`
  void matmul(
      long handle,
      Operands operands,
      MemorySegment alpha,
      MemorySegment beta,
      MemorySegment algorithm,
      long workspace,
      long workspaceBytes,
      long stream) {
    int status;
    try {
      status =
          (int)
              matmul.invokeExact(
                  handle,
                  operands.description(),
                  address(alpha),
                  operands.a(),
                  operands.aLayout(),
                  operands.b(),
                  operands.bLayout(),
                  address(beta),
                  operands.d(),
                  operands.dLayout(),
                  operands.d(),
                  operands.dLayout(),
                  address(algorithm),
                  workspace,
                  workspaceBytes,
                  stream);
    } catch (Throwable t) {
      throw new AssertionError("cublasLtMatmul", t);
    }
    check("cublasLtMatmul", status);
  }

  private void set(NativeFunction function, long of, int attribute, MemorySegment value) {
    check(function.name(), (int) function.call(of, attribute, address(value), value.byteSize()));
  }

  /// What a function writes through its first parameter.
  private long longFrom(NativeFunction function, long... parameters) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(JAVA_LONG);
      long[] all = new long[parameters.length + 1];
      all[0] = address(out);
      System.arraycopy(parameters, 0, all, 1, parameters.length);
      check(function.name(), (int) function.call(all));
      return out.get(JAVA_LONG, 0);
    }
  }

  private void check(String function, int status) {
    if (status != SUCCESS) {
      throw NativeException.status(
          function,
          status,
          CublasLtText.string(statusName.call(status))
              + ", "
              + CublasLtText.string(statusString.call(status)));
    }
  }
}
