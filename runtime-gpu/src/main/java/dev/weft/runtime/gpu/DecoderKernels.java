package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.CudaKernel;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.model.DecoderSpec;
import java.lang.foreign.Arena;
import java.util.List;

/// Submits a decoder's step to the device's stream, kernel after kernel, waiting for none. What it
/// submits depends on the numbers of rows and on nothing else: what the rows are lies in tables.
final class DecoderKernels {
  // As in products.cuh, decoder.cuh and attention.cuh.
  private static final int WARP = 32;
  private static final int PRODUCT_WARPS = 4;
  private static final int PRODUCT_OUTPUTS = 2;
  private static final int ROW_THREADS = 256;
  private static final int ATTENTION_THREADS = 128;

  /// Rows of activations that a warp multiplies with a row of weights at once.
  private static final int[] PRODUCT_ROWS = {1, 2, 4, 8};

  private final DecoderSpec spec;
  private final GpuDevice device;
  private final GpuWeights weights;
  private final GpuKvLayout kv;
  private final StepTables tables;
  private final LaunchParameters parameters;

  /// @param arena for as long as this is used
  DecoderKernels(
      DecoderSpec spec,
      GpuDevice device,
      GpuWeights weights,
      GpuKvLayout kv,
      StepTables tables,
      Arena arena) {
    this.spec = spec;
    this.device = device;
    this.weights = weights;
    this.kv = kv;
    this.tables = tables;
    parameters = new LaunchParameters(arena);
  }

  /// Everything up to the last layer.
  ///
  /// @param at where the scratch lies
  void layers(ScratchLayout scratch, long at) {
    int rows = scratch.rows();
    embed(at + scratch.residual(), rows);
    parameters.start().address(tables.positions()).address(weights.frequencies());
    parameters.address(at + scratch.turns()).integer(spec.rope().dimensions() / 2);
    launch("angles", LaunchGrid.of(rows, ROW_THREADS));
    for (int layer = 0; layer < weights.layers().size(); layer++) {
      attention(layer, scratch, at);
      feedForward(weights.layers().get(layer), scratch, at);
    }
  }

  private void embed(long to, int rows) {
    GpuMatrix table = weights.embedding();
    parameters.start().address(table.address()).address(table.rowBytes());
    parameters.address(tables.tokens()).address(to).integer(spec.hiddenSize());
    launch("embed_" + GpuMatrix.suffix(table.type()), LaunchGrid.of(rows, ROW_THREADS));
  }

  private void attention(int index, ScratchLayout scratch, long at) {
    GpuWeights.Layer layer = weights.layers().get(index);
    int rows = scratch.rows();
    long normalized = at + scratch.normalized();
    normalize(at + scratch.residual(), 0, layer.attentionNorm(), normalized, rows);
    int width = layer.queryKeyValue().outputs();
    multiply(layer.queryKeyValue(), normalized, at + scratch.queryKeyValue(), width, rows, false);

    parameters.start().address(at + scratch.queryKeyValue()).address(at + scratch.queries());
    cache(index).address(at + scratch.turns()).integer(spec.headCount());
    parameters.integer(spec.rope().dimensions() / 2);
    parameters.integer(spec.rope().interleaved() ? 1 : 0);
    launch("rotate", LaunchGrid.of(rows, ROW_THREADS));

    attend(index, scratch, at);
    multiply(
        layer.attentionOutput(),
        at + scratch.attended(),
        at + scratch.residual(),
        spec.hiddenSize(),
        rows,
        true);
  }

  private void attend(int index, ScratchLayout scratch, long at) {
    int group = spec.headCount() / spec.kvHeadCount();
    int heads = group == 1 ? 1 : 4;
    int splits = scratch.splits();
    attentionOf(index, scratch, at);
    launch(
        "attend_" + heads,
        new LaunchGrid(
            scratch.rows(),
            spec.kvHeadCount(),
            Math.max(1, splits),
            ATTENTION_THREADS,
            sharedBytes(spec.headSize(), heads)));
    if (splits > 0) {
      attentionOf(index, scratch, at);
      launch("merge_splits", LaunchGrid.of(scratch.rows(), spec.headCount(), ATTENTION_THREADS));
    }
  }

  /// Dynamic shared memory of a block of `attend`.
  static int sharedBytes(int headSize, int heads) {
    int runs = ATTENTION_THREADS / (headSize / 8);
    int floats = heads * (2 * headSize + ScratchLayout.SPLIT_TOKENS + 4 + runs * headSize);
    return floats * Float.BYTES;
  }

  private void attentionOf(int index, ScratchLayout scratch, long at) {
    parameters
        .start()
        .struct()
        .addLong(at + scratch.queries())
        .addLong(at + scratch.attended())
        .addLong(scratch.splits() > 0 ? at + scratch.partials() : 0)
        .addInt(spec.headCount())
        .addInt(spec.slidingWindow())
        .addInt(scratch.splits())
        .addFloat((float) (1 / Math.sqrt(spec.headSize())));
    cache(index);
  }

  private LaunchParameters cache(int layer) {
    return parameters
        .struct()
        .addLong(tables.positions())
        .addLong(tables.sequences())
        .addLong(tables.firstBlocks())
        .addLong(tables.blocks())
        .addLong(kv.layerBytes())
        .addInt(layer)
        .addInt(spec.kvHeadCount())
        .addInt(spec.headSize())
        .addInt(kv.layout().blockTokens());
  }

  private void feedForward(GpuWeights.Layer layer, ScratchLayout scratch, long at) {
    int rows = scratch.rows();
    int wide = spec.intermediateSize();
    long normalized = at + scratch.normalized();
    normalize(at + scratch.residual(), 0, layer.feedForwardNorm(), normalized, rows);
    multiply(layer.gateUp(), normalized, at + scratch.gateUp(), 2 * wide, rows, false);
    parameters.start().address(at + scratch.gateUp()).address(at + scratch.activated());
    parameters.integer(wide).integer(spec.activation() == DecoderSpec.Activation.GELU_TANH ? 1 : 0);
    launch("activate", LaunchGrid.of(rows, Math.ceilDiv(wide, ROW_THREADS), ROW_THREADS));
    multiply(
        layer.down(),
        at + scratch.activated(),
        at + scratch.residual(),
        spec.hiddenSize(),
        rows,
        true);
  }

  /// The logits of the rows that need them, and of each the largest.
  ///
  /// @param logits where they go
  void logits(ScratchLayout scratch, long at, long logits) {
    int rows = scratch.logitRows();
    long normalized = at + scratch.outputs();
    normalize(at + scratch.residual(), tables.logitRows(), weights.outputNorm(), normalized, rows);
    multiply(
        new Projection(List.of(weights.output())),
        normalized,
        logits,
        spec.vocabularySize(),
        rows,
        false);
    parameters.start().address(logits).integer(spec.vocabularySize());
    parameters.address(at + scratch.largest());
    launch("largest", LaunchGrid.of(rows, ROW_THREADS));
  }

  /// @param chosen where the rows' indices lie, or 0 for all rows
  private void normalize(long x, long chosen, long weight, long y, int rows) {
    parameters.start().address(x).address(chosen).address(weight).address(y);
    parameters.integer(spec.hiddenSize()).real((float) spec.normEpsilon());
    launch("normalize", LaunchGrid.of(rows, ROW_THREADS));
  }

  /// @param yStride elements from a row of the result to the next
  /// @param add to what is there
  private void multiply(Projection projection, long x, long y, int yStride, int rows, boolean add) {
    long to = y;
    for (GpuMatrix matrix : projection.parts()) {
      parameters.start().address(matrix.address()).address(matrix.rowBytes());
      parameters.address(matrix.bias()).address(x).integer(matrix.inputs());
      parameters.address(to).integer(yStride).integer(matrix.inputs()).integer(matrix.outputs());
      parameters.integer(rows).integer(add ? 1 : 0);
      int atOnce = productRows(rows);
      int blocks = Math.ceilDiv(matrix.outputs(), PRODUCT_WARPS * PRODUCT_OUTPUTS);
      launch(
          "product_" + GpuMatrix.suffix(matrix.type()) + "_" + atOnce,
          LaunchGrid.of(blocks, Math.ceilDiv(rows, atOnce), PRODUCT_WARPS * WARP));
      to += (long) matrix.outputs() * Float.BYTES;
    }
  }

  private static int productRows(int rows) {
    for (int atOnce : PRODUCT_ROWS) {
      if (rows <= atOnce) {
        return atOnce;
      }
    }
    return PRODUCT_ROWS[PRODUCT_ROWS.length - 1];
  }

  private void launch(String kernel, LaunchGrid grid) {
    CudaKernel found = device.kernel(kernel);
    found.launch(device.stream(), grid, parameters);
  }
}
