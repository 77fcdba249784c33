package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import java.util.List;

/// Submits what adapters add to a step's products.
final class AdapterKernels {
  // As in adapters.cuh.
  private static final int SHRINK_THREADS = 128;
  private static final int EXPAND_THREADS = 64;
  private static final int OUTPUTS = 4;

  /// Blocks that the ranks of a matrix are divided between, four at once each.
  private static final int SHRINK_BLOCKS = 8;

  private final DecoderSpec spec;
  private final StepLauncher launcher;
  private final long runs;

  /// @param runs where the step's runs of rows lie
  AdapterKernels(DecoderSpec spec, StepLauncher launcher, long runs) {
    this.spec = spec;
    this.launcher = launcher;
    this.runs = runs;
  }

  /// Matrices of a layer that have the same input: neighbours in [AdapterWeights#PARTS].
  enum Group {
    QUERY_KEY_VALUE("attn_q"),
    ATTENTION_OUTPUT("attn_output"),
    GATE_UP("ffn_gate"),
    DOWN("ffn_down");

    private final int first;

    Group(String first) {
      this.first = AdapterWeights.PARTS.indexOf(first);
    }
  }

  private List<Integer> widths(Group group) {
    return switch (group) {
      case QUERY_KEY_VALUE -> List.of(spec.queryWidth(), spec.kvWidth(), spec.kvWidth());
      case ATTENTION_OUTPUT, DOWN -> List.of(spec.hiddenSize());
      case GATE_UP -> List.of(spec.intermediateSize(), spec.intermediateSize());
    };
  }

  private int inputs(Group group) {
    return switch (group) {
      case QUERY_KEY_VALUE, GATE_UP -> spec.hiddenSize();
      case ATTENTION_OUTPUT -> spec.queryWidth();
      case DOWN -> spec.intermediateSize();
    };
  }

  /// What a product gave.
  ///
  /// @param stride floats from a slice to the next
  record Sums(long address, int slices, long stride) {}

  /// Adds to the products of a group of matrices, which were submitted before.
  ///
  /// @param runCount as [GpuAdapters#fill] says
  /// @param x the first row of what was multiplied, in float32
  void add(int runCount, int layer, Group group, long x, Sums sums) {
    List<Integer> widths = widths(group);
    int first = layer * AdapterWeights.PARTS.size() + group.first;
    LaunchParameters parameters = launcher.parameters().start();
    parameters.address(runs).integer(first).address(x).integer(inputs(group));
    launcher.launch(
        KernelUnit.ADAPTERS,
        "shrink",
        new LaunchGrid(SHRINK_BLOCKS, runCount, widths.size(), SHRINK_THREADS, 0));

    int outputs = widths.stream().mapToInt(Integer::intValue).sum();
    int widest = widths.stream().mapToInt(Integer::intValue).max().orElseThrow();
    parameters.start().address(runs).integer(first).struct();
    parameters.addLong(sums.address()).addLong(sums.stride()).addInt(sums.slices()).addInt(outputs);
    for (int i = 0; i < GpuAdapter.GROUP_MATRICES; i++) {
      parameters.addInt(i < widths.size() ? widths.get(i) : 0);
    }
    launcher.launch(
        KernelUnit.ADAPTERS,
        "expand",
        new LaunchGrid(
            Math.ceilDiv(widest, EXPAND_THREADS * OUTPUTS),
            runCount,
            widths.size(),
            EXPAND_THREADS,
            0));
  }
}
