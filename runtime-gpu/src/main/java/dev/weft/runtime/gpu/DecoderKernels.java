package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.AdapterKernels.Group;
import dev.weft.runtime.gpu.AdapterKernels.Sums;
import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.model.DecoderSpec;
import java.lang.foreign.Arena;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// Submits a decoder's step to the device's stream, kernel after kernel, waiting for none, but for
/// weights that are on their way. What it submits depends on the numbers of rows, tiles and runs of
/// adapters, and on nothing else: what the rows are lies in tables.
final class DecoderKernels {
  // As in rows.cuh and decoder.cuh.
  private static final int WARP = 32;
  static final int ROW_THREADS = 256;
  private static final int NORM_THREADS = 512;

  /// Blocks of them on a multiprocessor, each of which takes one row after the other.
  private static final int NORM_BLOCKS = 3;

  /// Elements of a row that a block holds two times four a thread of.
  private static final int NORM_FEW = NORM_THREADS * 8;

  private static final int ROTATE_WARPS = 4;

  /// From so many rows on a warp takes several heads of a row.
  private static final int MANY_ROWS = 256;

  /// Blocks that share a row's heads then.
  private static final int MANY_ROWS_BLOCKS = 3;

  static final int LARGEST_THREADS = 1024;

  /// Powers in a softmax are of two: exp(x) is 2 to the x times this.
  static final double LOG2_E = 1 / Math.log(2);

  private final DecoderSpec spec;
  private final GpuWeights weights;
  private final StepTables tables;
  private final long chosen;
  private final CacheTables cache;
  private final StepLauncher launcher;
  private final Products products;
  private final AdapterKernels adapters;
  private final AttentionKernels attention;
  private final AttentionWork work;
  private final int multiprocessors;

  /// Runs of rows with adapters of the step that is submitted.
  private int adapterRuns;

  /// @param chosen where tokens that steps choose lie: those of the largest logits are put there,
  ///   and the next step's rows may name them
  /// @param arena for as long as this is used
  DecoderKernels(
      DecoderSpec spec,
      GpuDevice device,
      GpuWeights weights,
      GpuKvLayout kv,
      AttentionWork work,
      StepTables tables,
      long chosen,
      Arena arena) {
    this.spec = spec;
    this.chosen = chosen;
    this.work = work;
    this.weights = weights;
    this.tables = tables;
    cache = tables.cache(spec);
    launcher = new StepLauncher(device, arena);
    multiprocessors = device.multiprocessors();
    products = new Products(launcher, device.runsWide(), multiprocessors);
    adapters = new AdapterKernels(spec, launcher, tables.runs());
    attention = AttentionKernels.of(spec.headSize(), kv.type(), device.runsWide());
    device.load(units(device));
  }

  private Set<KernelUnit> units(GpuDevice device) {
    Set<KernelUnit> units =
        new LinkedHashSet<>(
            List.of(KernelUnit.STEP, KernelUnit.SAMPLING, attention.unit(), attention.tileUnit()));
    units.addAll(
        Products.units(
            Stream.concat(
                Stream.of(weights.embedding(), weights.output()),
                weights.layers().stream()
                    .flatMap(layer ->
                        Stream.of(
                            layer.queryKeyValue(),
                            layer.attentionOutput(),
                            layer.gateUp(),
                            layer.down()))
                    .flatMap(projection -> projection.parts().stream())),
            device.runsWide()));
    return units;
  }

  /// Everything up to the last layer, whose feed-forward part is not yet added to the rows.
  ///
  /// @param at where the scratch lies
  /// @param runs of rows with adapters
  void layers(ScratchLayout scratch, long at, int runs) {
    int rows = scratch.rows();
    adapterRuns = runs;
    launcher.begin();
    launcher.await(weights, 0);
    embed(at + scratch.residual(), rows);
    parameters().start().address(tables.positions()).address(weights.frequencies());
    parameters().address(at + scratch.turns()).integer(spec.rope().dimensions() / 2);
    launch("angles", LaunchGrid.of(rows, ROW_THREADS));
    for (int layer = 0; layer < weights.layers().size(); layer++) {
      launcher.await(weights, 1 + layer);
      attention(layer, scratch, at);
      feedForward(layer, scratch, at);
    }
  }

  private void embed(long to, int rows) {
    GpuMatrix table = weights.embedding();
    parameters().start().address(table.address()).address(table.rowBytes());
    parameters().address(tables.tokens()).address(chosen).address(to).integer(spec.hiddenSize());
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
    int queryKeyValueSlices = queryKeyValue.rounded() ? scratch.queryKeyValueSlices() : 1;
    long queryKeyValueStride = (long) rows * queryKeyValue.outputs();
    adapt(
        index,
        Group.QUERY_KEY_VALUE,
        at + scratch.normalized(),
        new Sums(at + scratch.queryKeyValue(), queryKeyValueSlices, queryKeyValueStride));

    int heads = spec.headCount() + 2 * spec.kvHeadCount();
    parameters().start();
    KernelStructs.slices(
        parameters(), at + scratch.queryKeyValue(), queryKeyValueSlices, queryKeyValueStride);
    parameters().address(at + scratch.queries());
    cache.add(parameters(), index).address(at + scratch.turns()).integer(spec.headCount());
    parameters().integer(spec.rope().dimensions() / 2);
    parameters().integer(spec.rope().interleaved() ? 1 : 0);
    parameters().real((float) (LOG2_E / Math.sqrt(spec.headSize())));
    launch(rotation(spec.headSize()), rotateGrid(rows, heads));

    attend(index, scratch, at);
    Projection output = layer.attentionOutput();
    products.multiply(
        output,
        new Products.Rows(at + scratch.attended(), at + scratch.roundedAttended(), rows),
        at + scratch.added(),
        true);
    adapt(
        index,
        Group.ATTENTION_OUTPUT,
        at + scratch.attended(),
        added(scratch, at, attentionSlices(layer, scratch)));
  }

  /// Adds what rows' adapters change of a group's products.
  ///
  /// @param x what was multiplied, in float32
  private void adapt(int layer, Group group, long x, Sums sums) {
    if (adapterRuns > 0) {
      adapters.add(adapterRuns, layer, group, x, sums);
    }
  }

  private Sums added(ScratchLayout scratch, long at, int slices) {
    return new Sums(at + scratch.added(), slices, (long) scratch.rows() * spec.hiddenSize());
  }

  /// The kernel that turns heads of so many elements.
  static String rotation(int headSize) {
    return headSize <= WARP * 4 ? "rotate_1" : "rotate_2";
  }

  /// @param heads of queries, keys and values of a row
  static LaunchGrid rotateGrid(int rows, int heads) {
    int blocks = Math.ceilDiv(heads, ROTATE_WARPS);
    return LaunchGrid.of(
        rows, rows < MANY_ROWS ? blocks : Math.min(blocks, MANY_ROWS_BLOCKS), ROTATE_WARPS * WARP);
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
    int tiles = tables.tileCount();
    if (tiles > 0) {
      attentionOf(index, scratch, at, consumer, 0);
      launcher.launch(
          attention.tileUnit(), attention.tile(), attention.tileGrid(tiles, work.blocks()));
    }
    AttentionWork.Singles singles = scratch.singles();
    for (int first = 0; first < singles.rows(); first += singles.atOnce()) {
      int rows = Math.min(singles.atOnce(), singles.rows() - first);
      attentionOf(index, scratch, at, consumer, first);
      launcher.launch(
          attention.unit(),
          attention.units(work.halves()),
          attention.unitsGrid(work.blocks(), rows, singles));
      attentionOf(index, scratch, at, consumer, first);
      launcher.launch(
          attention.unit(), AttentionKernels.MERGE, attention.mergeGrid(rows, spec.headCount()));
    }
  }

  /// @param firstSingle of the rows alone
  private void attentionOf(
      int index, ScratchLayout scratch, long at, Projection consumer, int firstSingle) {
    AttentionWork.Singles singles = scratch.singles();
    parameters()
        .start()
        .struct()
        .addLong(at + scratch.queries())
        .addLong(exact(consumer) ? at + scratch.attended() : 0)
        .addLong(consumer.rounded() ? at + scratch.roundedAttended() : 0)
        .addLong(tables.singles() + (long) firstSingle * Integer.BYTES)
        .addLong(tables.tiles())
        .addLong(at + scratch.partials())
        .addLong(0)
        .addInt(spec.headCount())
        .addInt(spec.slidingWindow())
        .addInt(singles.units())
        .addInt(singles.together() ? 1 : 0);
    cache.add(parameters(), index);
  }

  private void feedForward(int index, ScratchLayout scratch, long at) {
    GpuWeights.Layer layer = weights.layers().get(index);
    int rows = scratch.rows();
    int wide = spec.intermediateSize();
    boolean gelu = spec.activation() == DecoderSpec.Activation.GELU_TANH;
    normalize(
        scratch, at, attentionSlices(layer, scratch), layer.feedForwardNorm(), layer.gateUp());
    Products.Rows normalized = normalized(scratch, at);
    List<GpuMatrix> parts = layer.gateUp().parts();
    // Activated where they are multiplied or afterwards, the bits are the same.
    if (parts.size() == 1 && layer.gateUp().rounded() && !exact(layer.down())) {
      products.multiplyActivated(
          parts.getFirst(), normalized, at + scratch.roundedActivated(), gelu);
    } else {
      products.multiply(layer.gateUp(), normalized, at + scratch.gateUp(), false);
      adapt(index, Group.GATE_UP, at + scratch.normalized(), new Sums(at + scratch.gateUp(), 1, 0));
      parameters().start();
      KernelStructs.slices(parameters(), at + scratch.gateUp(), 1, 0);
      activations(layer.down(), at + scratch.activated(), at + scratch.roundedActivated());
      parameters().integer(wide).integer(gelu ? 1 : 0);
      launch("activate", LaunchGrid.of(rows, Math.ceilDiv(wide, ROW_THREADS), ROW_THREADS));
    }
    products.multiply(
        layer.down(),
        new Products.Rows(at + scratch.activated(), at + scratch.roundedActivated(), rows),
        at + scratch.added(),
        true);
    adapt(
        index,
        Group.DOWN,
        at + scratch.activated(),
        added(scratch, at, feedForwardSlices(layer, scratch)));
  }

  /// Whether rows are wanted in float32: by a matrix, or by adapters.
  private boolean exact(Projection consumer) {
    return consumer.exact() || adapterRuns > 0;
  }

  private void activations(Projection consumer, long exact, long rounded) {
    KernelStructs.activations(
        parameters(), exact(consumer) ? exact : 0, consumer.rounded() ? rounded : 0);
  }

  /// The logits of the rows that need them, and of each the largest.
  ///
  /// @param logits where they go
  void logits(ScratchLayout scratch, long at, long logits) {
    int rows = scratch.logitRows();
    launcher.await(weights, 1 + weights.layers().size());
    var output = new Projection(List.of(weights.output()));
    parameters().start().address(at + scratch.residual());
    KernelStructs.slices(
        parameters(),
        at + scratch.added(),
        feedForwardSlices(weights.layers().getLast(), scratch),
        (long) scratch.rows() * spec.hiddenSize());
    parameters().address(tables.logitRows()).address(weights.outputNorm());
    activations(output, at + scratch.outputs(), at + scratch.roundedOutputs());
    launchNormalize(rows);
    products.multiply(
        output,
        new Products.Rows(at + scratch.outputs(), at + scratch.roundedOutputs(), rows),
        logits,
        false);
    parameters().start().address(logits).integer(spec.vocabularySize());
    parameters().address(chosen);
    launch("largest", LaunchGrid.of(rows, LARGEST_THREADS));
  }

  /// Adds what a projection gave to the rows, and normalizes them for the next.
  ///
  /// @param slices of what is added; 0 where there is nothing yet
  private void normalize(
      ScratchLayout scratch, long at, int slices, long weight, Projection consumer) {
    parameters().start().address(at + scratch.residual());
    KernelStructs.slices(
        parameters(), at + scratch.added(), slices, (long) scratch.rows() * spec.hiddenSize());
    parameters().address(0).address(weight);
    activations(consumer, at + scratch.normalized(), at + scratch.roundedNormalized());
    launchNormalize(scratch.rows());
  }

  private void launchNormalize(int rows) {
    int width = spec.hiddenSize();
    parameters().integer(rows).integer(width).real((float) spec.normEpsilon());
    launch(
        width <= NORM_FEW ? "normalize_2" : "normalize_8",
        LaunchGrid.of(Math.min(rows, NORM_BLOCKS * multiprocessors), NORM_THREADS));
  }

  private LaunchParameters parameters() {
    return launcher.parameters();
  }

  private void launch(String kernel, LaunchGrid grid) {
    launcher.launch(KernelUnit.STEP, kernel, grid);
  }
}
