package dev.weft.bench.gpu;

import dev.weft.bench.gpu.cublas.Cublas;
import dev.weft.bench.gpu.cublas.CublasProduct;
import dev.weft.bench.gpu.cublas.CublasProduct.Algorithm;
import dev.weft.runtime.gpu.GpuProducts;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.CudaGraph;
import dev.weft.runtime.gpu.cuda.CudaStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Measures single products, the runtime's and cuBLASLt's by turns. Each is submitted several
/// times, with other weights each time, as one graph, so that the host's part is not in it.
final class ProductRun implements AutoCloseable {
  static final String WEFT = "weft";
  static final String ACTIVATED = "weft, gates activated";
  static final String CUBLASLT = "cuBLASLt";

  /// What the library's heuristic is asked for; the fastest is measured.
  private static final int ALGORITHMS = 8;

  private static final int TRIALS = 3;

  /// About what a graph is to take, and what a device does meanwhile at best.
  private static final double SECONDS = 1.5e-3;

  private static final double BYTES_PER_SECOND = 4e12;
  private static final double OPERATIONS_PER_SECOND = 7e14;

  private final GpuProducts products;
  private final Optional<Cublas> cublas;
  private final ProductMemory memory;
  private final Bounds bounds;
  private final CudaStream stream;
  private final CudaEvent start;
  private final CudaEvent end;

  /// @param launches of a product in a graph
  /// @param repetitions of a graph
  record Bounds(int launches, int repetitions) {}

  /// What was measured.
  ///
  /// @param seconds of a product, by who computed it
  record Measured(Map<String, List<Double>> seconds, Optional<Peer> peer) {}

  /// What the peer's fastest way gave.
  ///
  /// @param splits sums that it cuts one into
  record Peer(boolean sameBits, int splits) {}

  /// Submits a product with the weights that lie at an address.
  private interface Submission {
    void submit(long weights);
  }

  private record Way(Algorithm algorithm, CudaGraph graph, double seconds) {}

  /// @param cublas closed by whoever opened it, as is the rest
  ProductRun(GpuProducts products, Optional<Cublas> cublas, ProductMemory memory, Bounds bounds) {
    this.products = products;
    this.cublas = cublas;
    this.memory = memory;
    this.bounds = bounds;
    stream = products.stream();
    start = CudaEvent.timed(products.context());
    end = CudaEvent.timed(products.context());
  }

  Measured measure(LayerProduct product, int rows) {
    long x = memory.rows().address();
    long sums = memory.sums().address();
    Submission weft = weights -> products.multiply(product.at(weights), x, rows, sums);
    Map<String, CudaGraph> graphs = new LinkedHashMap<>();
    try {
      graphs.put(WEFT, capture(product, rows, weft));
      if (product.gates()) {
        graphs.put(
            ACTIVATED,
            capture(
                product,
                rows,
                weights -> products.multiplyActivated(product.at(weights), x, rows, sums)));
      }
      if (cublas.isEmpty()) {
        return new Measured(seconds(graphs, product, rows), Optional.empty());
      }
      try (CublasProduct other = cublas.get().product(product.outputs(), product.inputs(), rows)) {
        Way fastest = fastest(other, product, rows);
        graphs.put(CUBLASLT, fastest.graph());
        Map<String, List<Double>> seconds = seconds(graphs, product, rows);
        long weights = memory.weights(product, 0);
        products.begin();
        weft.submit(weights);
        submission(other, fastest.algorithm()).submit(weights);
        stream.synchronize();
        long count = (long) rows * product.outputs();
        boolean same =
            new ProductSums(sums, GpuProducts.slices(product.at(weights), rows), count)
                .sameBits(
                    new ProductSums(memory.others().address(), 1, count),
                    products.context().driver());
        return new Measured(seconds, Optional.of(new Peer(same, fastest.algorithm().splits())));
      }
    } finally {
      graphs.values().forEach(CudaGraph::close);
    }
  }

  private Submission submission(CublasProduct other, Algorithm algorithm) {
    return weights ->
        other.submit(
            algorithm, weights, memory.rows().address(), memory.others().address(), stream);
  }

  /// Tries all ways.
  private Way fastest(CublasProduct other, LayerProduct product, int rows) {
    List<Way> ways = new ArrayList<>();
    for (Algorithm algorithm : other.algorithms(ALGORITHMS)) {
      CudaGraph graph = capture(product, rows, submission(other, algorithm));
      double best = Double.POSITIVE_INFINITY;
      for (int trial = 0; trial < TRIALS; trial++) {
        best = Math.min(best, seconds(graph));
      }
      ways.add(new Way(algorithm, graph, best));
    }
    if (ways.isEmpty()) {
      throw new IllegalStateException(
          "cuBLASLt has no way to compute %s of %d rows".formatted(product, rows));
    }
    ways.sort(Comparator.comparingDouble(Way::seconds));
    ways.subList(1, ways.size()).forEach(way -> way.graph().close());
    return ways.getFirst();
  }

  /// The first submission, by itself, has kernels loaded.
  private CudaGraph capture(LayerProduct product, int rows, Submission submission) {
    products.begin();
    submission.submit(memory.weights(product, 0));
    stream.synchronize();
    int launches = launches(product, rows);
    return stream.capture(() -> {
      products.begin();
      for (int i = 0; i < launches; i++) {
        submission.submit(memory.weights(product, i));
      }
    });
  }

  private int launches(LayerProduct product, int rows) {
    double least =
        Math.max(
            product.weightBytes() / BYTES_PER_SECOND,
            product.operations(rows) / OPERATIONS_PER_SECOND);
    return (int) Math.clamp(SECONDS / least, 2, bounds.launches());
  }

  private Map<String, List<Double>> seconds(
      Map<String, CudaGraph> graphs, LayerProduct product, int rows) {
    int launches = launches(product, rows);
    Map<String, List<Double>> seconds = new LinkedHashMap<>();
    for (int repetition = -1; repetition < bounds.repetitions(); repetition++) {
      for (Map.Entry<String, CudaGraph> each : graphs.entrySet()) {
        double took = seconds(each.getValue()) / launches;
        if (repetition >= 0) {
          seconds.computeIfAbsent(each.getKey(), _ -> new ArrayList<>()).add(took);
        }
      }
    }
    return seconds;
  }

  private double seconds(CudaGraph graph) {
    start.record(stream);
    stream.launch(graph);
    end.record(stream);
    end.await();
    return Math.max(1e-6, end.millisSince(start) / 1000.0);
  }

  @Override
  public void close() {
    start.close();
    end.close();
  }
}
