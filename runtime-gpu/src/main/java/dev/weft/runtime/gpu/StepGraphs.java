package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.CudaGraph;
import dev.weft.runtime.gpu.cuda.CudaStream;
import java.util.LinkedHashMap;
import java.util.Map;

/// Small steps as graphs: a launch costs the host some microseconds, and such a step hundreds of
/// them. What a step submits depends on its shape alone, so steps of one shape share a graph.
final class StepGraphs implements AutoCloseable {
  /// Shapes that are kept: of those that were used longest ago, the graph is given up.
  private static final int MOST = 32;

  private final CudaStream stream;
  private final Map<Shape, CudaGraph> graphs = new LinkedHashMap<>(MOST, 0.75f, true);

  /// What a step submits depends on.
  ///
  /// @param adapterRuns of rows with adapters
  /// @param at where the scratch lies
  /// @param logits where the logits go
  record Shape(ScratchLayout scratch, int adapterRuns, long at, long logits) {}

  StepGraphs(CudaStream stream) {
    this.stream = stream;
  }

  /// Submits a step; `work` submits one of this shape, and is asked the first time.
  void launch(Shape shape, Runnable work) {
    CudaGraph graph = graphs.get(shape);
    if (graph == null) {
      if (graphs.size() == MOST) {
        Shape oldest = graphs.keySet().iterator().next();
        // It may be under way.
        stream.synchronize();
        CudaGraph given = graphs.remove(oldest);
        if (given != null) {
          given.close();
        }
      }
      graph = stream.capture(work);
      graphs.put(shape, graph);
    }
    stream.launch(graph);
  }

  @Override
  public void close() {
    graphs.values().forEach(CudaGraph::close);
  }
}
