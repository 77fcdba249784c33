package dev.weft.bench.gpu.cublas;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.bench.gpu.cublas.CublasLt.AlgorithmAttribute;
import dev.weft.bench.gpu.cublas.CublasLt.ComputeType;
import dev.weft.bench.gpu.cublas.CublasLt.DataType;
import dev.weft.bench.gpu.cublas.CublasLt.DescriptionAttribute;
import dev.weft.bench.gpu.cublas.CublasLt.Operands;
import dev.weft.bench.gpu.cublas.CublasLt.PreferenceAttribute;
import dev.weft.runtime.gpu.cuda.CudaStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// Products of weights `[outputs, inputs]` and activations `[rows, inputs]`, both in bfloat16 and
/// row-major, to sums `[rows, outputs]` in float32.
///
/// The library's matrices are column-major. To it the same bytes are weights of `inputs` rows and
/// `outputs` columns, which it transposes, activations of `inputs` rows, and sums of `outputs`
/// rows.
public final class CublasProduct implements AutoCloseable {
  private final Cublas cublas;
  private final CublasLt library;
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment one = arena.allocateFrom(JAVA_FLOAT, 1f);
  private final MemorySegment zero = arena.allocateFrom(JAVA_FLOAT, 0f);

  /// What gives up each descriptor that was made.
  private final List<Runnable> made = new ArrayList<>();

  private final long description;
  private final long weightLayout;
  private final long rowLayout;
  private final long sumLayout;
  private final long preference;

  CublasProduct(Cublas cublas, int outputs, int inputs, int rows) {
    this.cublas = cublas;
    library = cublas.library();
    try {
      description = library.matmulDescCreate(ComputeType.FLOAT32, DataType.FLOAT32);
      made.add(() -> library.matmulDescDestroy(description));
      library.matmulDescSetAttribute(description, DescriptionAttribute.TRANSA, CublasLt.TRANSPOSED);
      weightLayout = layout(DataType.BFLOAT16, inputs, outputs);
      rowLayout = layout(DataType.BFLOAT16, inputs, rows);
      sumLayout = layout(DataType.FLOAT32, outputs, rows);
      preference = library.matmulPreferenceCreate();
      made.add(() -> library.matmulPreferenceDestroy(preference));
      library.matmulPreferenceSetAttribute(
          preference, PreferenceAttribute.MAX_WORKSPACE_BYTES, cublas.workspace().byteSize());
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private long layout(DataType type, int rows, int columns) {
    long layout = library.matrixLayoutCreate(type, rows, columns, rows);
    made.add(() -> library.matrixLayoutDestroy(layout));
    return layout;
  }

  /// A way to compute it; of use until the product is closed.
  public static final class Algorithm {
    private final MemorySegment configuration;
    private final int splits;

    private Algorithm(MemorySegment configuration, int splits) {
      this.configuration = configuration;
      this.splits = splits;
    }

    /// Into how many sums it cuts the inputs of an output.
    public int splits() {
      return splits;
    }
  }

  /// Those that the library's heuristic names, the one that it takes to be the fastest first.
  ///
  /// @param most so many of them
  public List<Algorithm> algorithms(int most) {
    MemorySegment results = arena.allocate((long) most * CublasLt.RESULT_BYTES, Long.BYTES);
    int count =
        library.matmulAlgoGetHeuristic(cublas.handle(), operands(0, 0, 0), preference, results);
    List<Algorithm> algorithms = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      MemorySegment result =
          results.asSlice((long) i * CublasLt.RESULT_BYTES, CublasLt.RESULT_BYTES);
      if (result.get(JAVA_INT, CublasLt.RESULT_STATE) == 0) {
        MemorySegment configuration = result.asSlice(0, CublasLt.ALGORITHM_BYTES);
        int splits =
            library.matmulAlgoConfigGetAttribute(configuration, AlgorithmAttribute.SPLITK_NUM);
        algorithms.add(new Algorithm(configuration, Math.max(1, splits)));
      }
    }
    return algorithms;
  }

  /// Submits it.
  ///
  /// @param weights where they lie on the device
  /// @param rows where activations lie
  /// @param sums where they go
  public void submit(Algorithm algorithm, long weights, long rows, long sums, CudaStream stream) {
    library.matmul(
        cublas.handle(),
        operands(weights, rows, sums),
        one,
        zero,
        algorithm.configuration,
        cublas.workspace().address(),
        cublas.workspace().byteSize(),
        stream.handle());
  }

  private Operands operands(long weights, long rows, long sums) {
    return new Operands(description, weights, weightLayout, rows, rowLayout, sums, sumLayout);
  }

  @Override
  public void close() {
    Collections.reverse(made);
    made.forEach(Runnable::run);
    made.clear();
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
