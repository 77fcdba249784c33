package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.tensor.DType;
import java.lang.foreign.Arena;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// Submits a decoder's step to the device's stream, kernel after kernel, waiting for none. What it
/// submits depends on the numbers of rows and tiles and on nothing else: what the rows are lies in
/// tables.
final class DecoderKernels {
  // As in rows.cuh, decoder.cuh and attention.cuh.
  private static final int WARP = 32;
  private static final int ROW_THREADS = 256;
  private static final int NORM_THREADS = 512;
  private static final int ROTATE_THREADS = 128;
  private static final int LARGEST_THREADS = 1024;
  private static final int UNIT_PADDING = 16;
  private static final int TILE_THREADS = 128;
  private static final int MERGE_THREADS = 128;

  /// Powers in a softmax are of two: exp(x) is 2 to the x times this.
  private static final double LOG2_E = 1 / Math.log(2);

  private final DecoderSpec spec;
  private final GpuWeights weights;
  private final GpuKvLayout kv;
  private final StepTables tables;
  private final StepLauncher launcher;
  private final Products products;
  private final KernelUnit attentionUnit;
  private final int paddedHeadSize;

  /// @param arena for as long as this is used
  DecoderKernels(
      DecoderSpec spec,
      GpuDevice device,
      GpuWeights weights,
      GpuKvLayout kv,
      StepTables tables,
      Arena arena) {
    this.spec = spec;
    this.weights = weights;
    this.kv = kv;
    this.tables = tables;
    launcher = new StepLauncher(device, arena);
    products = new Products(launcher, device.runsWide(), device.multiprocessors());
    paddedHeadSize = KernelUnit.paddedHeadSize(spec.headSize());
    attentionUnit = KernelUnit.attention(paddedHeadSize);
    device.load(units(device));
  }

  private Set<KernelUnit> units(GpuDevice device) {
    Set<KernelUnit> units = new LinkedHashSet<>(List.of(KernelUnit.STEP, attentionUnit));
    Stream.concat(
            Stream.of(weights.embedding(), weights.output()),
            weights.layers().stream()
                .flatMap(layer ->
                    Stream.of(
                        layer.queryKeyValue(),
                        layer.attentionOutput(),
                        layer.gateUp(),
                        layer.down()))
                .flatMap(projection -> projection.parts().stream()))
        .map(matrix -> KernelUnit.weights(matrix.type()))
        .forEach(units::add);
    if (device.runsWide() && units.contains(KernelUnit.weights(DType.BF16))) {
      units.addAll(KernelUnit.wide());
    }
    return units;
  }

  /// Everything up to the last layer, whose feed-forward part is not yet added to the rows.
  ///
  /// @param at where the scratch lies
  void layers(ScratchLayout scratch, long at) {
    int rows = scratch.rows();
    launcher.begin();
    embed(at + scratch.residual(), rows);
    parameters().start().address(tables.positions()).address(weights.frequencies());
    parameters().address(at + scratch.turns()).integer(spec.rope().dimensions() / 2);
    launch("angles", LaunchGrid.of(rows, ROW_THREADS));
    for (int layer = 0; layer < weights.layers().size(); layer++) {
      attention(layer, scratch, at);
      feedForward(weights.layers().get(layer), scratch, at);
    }
  }

  private void embed(long to, int rows) {
    GpuMatrix table = weights.embedding();
    parameters().start().address(table.address()).address(table.rowBytes());
    parameters().address(tables.tokens()).address(to).integer(spec.hiddenSize());
    launcher.launch(
        KernelUnit.weights(table.type()),
        "embed_" + GpuMatrix.suffix(table.type()),
        LaunchGrid.of(rows, ROW_THREADS));
  }

  private void attention(int index, ScratchLayout scratch, long at) {
    GpuWeights.Layer layer = weights.layers().get(index);
    int rows = scratch.rows();
    normalize(
        scratch,
        at,
        index == 0 ? 0 : feedForwardSlices(weights.layers().get(index - 1), scratch),
        layer.attentionNorm(),
        layer.queryKeyValue());
    Projection queryKeyValue = layer.queryKeyValue();
    products.multiply(queryKeyValue, normalized(scratch, at), at + scratch.queryKeyValue(), true);

    int heads = spec.headCount() + 2 * spec.kvHeadCount();
    parameters().start();
    slices(
        at + scratch.queryKeyValue(),
        queryKeyValue.rounded() ? scratch.queryKeyValueSlices() : 1,
        (long) rows * queryKeyValue.outputs());
    parameters().address(at + scratch.queries());
    cache(index).address(at + scratch.turns()).integer(spec.headCount());
    parameters().integer(spec.rope().dimensions() / 2);
    parameters().integer(spec.rope().interleaved() ? 1 : 0);
    parameters().real((float) (LOG2_E / Math.sqrt(spec.headSize())));
    launch(
        "rotate", LaunchGrid.of(rows, Math.ceilDiv(heads * WARP, ROTATE_THREADS), ROTATE_THREADS));

    attend(index, scratch, at);
    Projection output = layer.attentionOutput();
    products.multiply(
        output,
        new Products.Rows(at + scratch.attended(), at + scratch.roundedAttended(), rows),
        at + scratch.added(),
        true);
  }

  private static int attentionSlices(GpuWeights.Layer layer, ScratchLayout scratch) {
    return layer.attentionOutput().rounded() ? scratch.attentionSlices() : 1;
  }

  private static int feedForwardSlices(GpuWeights.Layer layer, ScratchLayout scratch) {
    return layer.down().rounded() ? scratch.feedForwardSlices() : 1;
  }

  private static Products.Rows normalized(ScratchLayout scratch, long at) {
    return new Products.Rows(
        at + scratch.normalized(), at + scratch.roundedNormalized(), scratch.rows());
  }

  private void attend(int index, ScratchLayout scratch, long at) {
    Projection consumer = weights.layers().get(index).attentionOutput();
    int blocks = spec.kvHeadCount() * AttentionWork.passes(spec);
    int tiles = tables.tileCount();
    if (tiles > 0) {
      attentionOf(index, scratch, at, consumer);
      launcher.launch(
          attentionUnit,
          "attend_tile_" + paddedHeadSize,
          new LaunchGrid(tiles, blocks, 1, TILE_THREADS, 4 * unitBytes()));
    }
    int singles = scratch.singles();
    if (singles > 0) {
      int units = scratch.units();
      String name =
          units > 0 ? "attend_units_%d_".formatted(AttentionWork.halves(spec)) : "attend_row_";
      attentionOf(index, scratch, at, consumer);
      launcher.launch(
          attentionUnit,
          name + paddedHeadSize,
          new LaunchGrid(
              blocks,
              Math.max(1, units),
              singles,
              WARP,
              (together(scratch) ? 2 : 1) * unitBytes()));
      if (units > 0) {
        attentionOf(index, scratch, at, consumer);
        launcher.launch(
            attentionUnit, "merge_units", LaunchGrid.of(singles, spec.headCount(), MERGE_THREADS));
      }
    }
  }

  private boolean together(ScratchLayout scratch) {
    return AttentionWork.together(spec, scratch.singles(), scratch.units());
  }

  /// Keys or values of a unit in shared memory, a row a token.
  private int unitBytes() {
    return ScratchLayout.UNIT_TOKENS * (paddedHeadSize * Short.BYTES + UNIT_PADDING);
  }

  private void attentionOf(int index, ScratchLayout scratch, long at, Projection consumer) {
    parameters()
        .start()
        .struct()
        .addLong(at + scratch.queries())
        .addLong(consumer.exact() ? at + scratch.attended() : 0)
        .addLong(consumer.rounded() ? at + scratch.roundedAttended() : 0)
        .addLong(tables.singles())
        .addLong(tables.tiles())
        .addLong(scratch.units() > 0 ? at + scratch.partials() : 0)
        .addInt(spec.headCount())
        .addInt(spec.slidingWindow())
        .addInt(scratch.units())
        .addInt(together(scratch) ? 1 : 0);
    cache(index);
  }

  private LaunchParameters cache(int layer) {
    return parameters()
        .struct()
        .addLong(tables.positions())
        .addLong(tables.sequences())
        .addLong(tables.firstBlocks())
        .addLong(tables.blocks())
        .addLong(kv.layerBytes())
        .addInt(layer)
        .addInt(spec.kvHeadCount())
        .addInt(spec.headSize())
        .addInt(kv.layout().blockTokens())
        .addInt((int) Math.ceilDiv(1L << 32, (long) kv.layout().blockTokens()));
  }

  private void slices(long sums, int count, long stride) {
    parameters().struct().addLong(sums).addInt(count).addLong(stride);
  }

  private void feedForward(GpuWeights.Layer layer, ScratchLayout scratch, long at) {
    int rows = scratch.rows();
    int wide = spec.intermediateSize();
    boolean gelu = spec.activation() == DecoderSpec.Activation.GELU_TANH;
    normalize(
        scratch, at, attentionSlices(layer, scratch), layer.feedForwardNorm(), layer.gateUp());
    Products.Rows normalized = normalized(scratch, at);
    List<GpuMatrix> parts = layer.gateUp().parts();
    if (parts.size() == 1 && layer.gateUp().rounded() && !layer.down().exact()) {
      products.multiplyActivated(
          parts.getFirst(), normalized, at + scratch.roundedActivated(), gelu);
    } else {
      products.multiply(layer.gateUp(), normalized, at + scratch.gateUp(), false);
      parameters().start();
      slices(at + scratch.gateUp(), 1, 0);
      activations(layer.down(), at + scratch.activated(), at + scratch.roundedActivated());
      parameters().integer(wide).integer(gelu ? 1 : 0);
      launch("activate", LaunchGrid.of(rows, Math.ceilDiv(wide, ROW_THREADS), ROW_THREADS));
    }
    products.multiply(
        layer.down(),
        new Products.Rows(at + scratch.activated(), at + scratch.roundedActivated(), rows),
        at + scratch.added(),
        true);
  }

  private void activations(Projection consumer, long exact, long rounded) {
    parameters()
        .struct()
        .addLong(consumer.exact() ? exact : 0)
        .addLong(consumer.rounded() ? rounded : 0);
  }

  /// The logits of the rows that need them, and of each the largest.
  ///
  /// @param logits where they go
  void logits(ScratchLayout scratch, long at, long logits) {
    int rows = scratch.logitRows();
    var output = new Projection(List.of(weights.output()));
    parameters().start().address(at + scratch.residual());
    slices(
        at + scratch.added(),
        feedForwardSlices(weights.layers().getLast(), scratch),
        (long) scratch.rows() * spec.hiddenSize());
    parameters().address(tables.logitRows()).address(weights.outputNorm());
    activations(output, at + scratch.outputs(), at + scratch.roundedOutputs());
    parameters().integer(spec.hiddenSize()).real((float) spec.normEpsilon());
    launch("normalize", LaunchGrid.of(rows, NORM_THREADS));
    products.multiply(
        output,
        new Products.Rows(at + scratch.outputs(), at + scratch.roundedOutputs(), rows),
        logits,
        false);
    parameters().start().address(logits).integer(spec.vocabularySize());
    parameters().address(at + scratch.largest());
    launch("largest", LaunchGrid.of(rows, LARGEST_THREADS));
  }

  /// Adds what a projection gave to the rows, and normalizes them for the next.
  ///
  /// @param slices of what is added; 0 where there is nothing yet
  private void normalize(
      ScratchLayout scratch, long at, int slices, long weight, Projection consumer) {
    parameters().start().address(at + scratch.residual());
    slices(at + scratch.added(), slices, (long) scratch.rows() * spec.hiddenSize());
    parameters().address(0).address(weight);
    activations(consumer, at + scratch.normalized(), at + scratch.roundedNormalized());
    parameters().integer(spec.hiddenSize()).real((float) spec.normEpsilon());
    launch("normalize", LaunchGrid.of(scratch.rows(), NORM_THREADS));
  }

  private LaunchParameters parameters() {
    return launcher.parameters();
  }

  private void launch(String kernel, LaunchGrid grid) {
    launcher.launch(KernelUnit.STEP, kernel, grid);
  }
}
