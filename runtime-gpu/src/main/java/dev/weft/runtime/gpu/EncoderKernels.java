package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.gpu.EncoderWeights.Layer;
import dev.weft.runtime.gpu.EncoderWeights.Norm;
import dev.weft.runtime.gpu.GpuMatrix.Projection;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.model.EncoderSpec;
import java.lang.foreign.Arena;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// Submits an encoder's pass to the device's stream, kernel after kernel, waiting for none.
///
/// Products and attention are a decoder's. Keys and values lie in the scratch, in blocks as those
/// of a decoder's cache are; a row sees all tokens of its text.
final class EncoderKernels {
  private final EncoderSpec spec;
  private final EncoderWeights weights;
  private final EncoderTables tables;
  private final CacheTables cache;
  private final StepLauncher launcher;
  private final Products products;
  private final AttentionKernels attention;

  /// @param arena for as long as this is used
  EncoderKernels(
      EncoderSpec spec,
      GpuDevice device,
      EncoderWeights weights,
      EncoderTables tables,
      Arena arena) {
    this.spec = spec;
    this.weights = weights;
    this.tables = tables;
    cache = tables.cache(spec);
    launcher = new StepLauncher(device, arena);
    products = new Products(launcher, device.runsWide(), device.multiprocessors());
    attention = AttentionKernels.of(spec.headSize(), KvType.F16, device.runsWide());
    device.load(units(device));
  }

  private Set<KernelUnit> units(GpuDevice device) {
    Set<KernelUnit> units =
        new LinkedHashSet<>(List.of(KernelUnit.STEP, KernelUnit.ENCODER, attention.tileUnit()));
    units.addAll(
        Products.units(
            Stream.concat(
                Stream.of(weights.tokens(), weights.positions(), weights.types()),
                weights.layers().stream()
                    .flatMap(layer ->
                        Stream.of(
                            layer.queryKeyValue(),
                            layer.attentionOutput(),
                            layer.up(),
                            layer.down()))
                    .flatMap(projection -> projection.parts().stream())),
            device.runsWide()));
    return units;
  }

  /// @param at where the scratch lies
  void pass(EncoderScratch scratch, long at) {
    launcher.begin();
    embed(scratch, at);
    List<Layer> layers = weights.layers();
    for (int i = 0; i < layers.size(); i++) {
      Layer layer = layers.get(i);
      attention(layer, scratch, at);
      normalize(
          scratch, at, slices(layer.attentionOutput(), scratch), layer.attentionNorm(), layer.up());
      feedForward(layer, scratch, at);
      int slices = slices(layer.down(), scratch);
      if (i + 1 < layers.size()) {
        normalize(scratch, at, slices, layer.outputNorm(), layers.get(i + 1).queryKeyValue());
      } else {
        normalize(scratch, at, slices, layer.outputNorm(), 0);
      }
    }
    pool(scratch, at);
  }

  private static int slices(Projection projection, EncoderScratch scratch) {
    return Products.kept(projection, scratch.rows());
  }

  private void embed(EncoderScratch scratch, long at) {
    long each = (long) scratch.rows() * spec.hiddenSize() * Float.BYTES;
    embed(weights.tokens(), tables.tokens(), at + scratch.states(), scratch);
    embed(weights.positions(), tables.positions(), at + scratch.added(), scratch);
    embed(weights.types(), tables.types(), at + scratch.added() + each, scratch);
    List<Layer> layers = weights.layers();
    normalize(scratch, at, 2, weights.embeddingNorm(), layers.getFirst().queryKeyValue());
  }

  private void embed(GpuMatrix table, long rows, long to, EncoderScratch scratch) {
    parameters().start().address(table.address()).address(table.rowBytes());
    parameters().address(rows).address(0).address(to).integer(spec.hiddenSize());
    launcher.launch(
        KernelUnit.weights(table.type()),
        "embed_" + GpuMatrix.suffix(table.type()),
        LaunchGrid.of(scratch.rows(), DecoderKernels.ROW_THREADS));
  }

  private void attention(Layer layer, EncoderScratch scratch, long at) {
    int rows = scratch.rows();
    Projection queryKeyValue = layer.queryKeyValue();
    products.multiply(queryKeyValue, states(scratch, at), at + scratch.queryKeyValue(), true);

    parameters().start();
    KernelStructs.slices(
        parameters(),
        at + scratch.queryKeyValue(),
        slices(queryKeyValue, scratch),
        (long) rows * queryKeyValue.outputs());
    parameters().address(at + scratch.queries());
    cache.add(parameters(), 0).address(0).integer(spec.headCount()).integer(0).integer(0);
    parameters().real((float) (DecoderKernels.LOG2_E / Math.sqrt(spec.headSize())));
    launcher.launch(
        KernelUnit.STEP,
        DecoderKernels.rotation(spec.headSize()),
        DecoderKernels.rotateGrid(rows, 3 * spec.headCount()));

    Projection output = layer.attentionOutput();
    parameters()
        .start()
        .struct()
        .addLong(at + scratch.queries())
        .addLong(output.exact() ? at + scratch.attended() : 0)
        .addLong(output.rounded() ? at + scratch.roundedAttended() : 0)
        .addLong(0)
        .addLong(tables.tiles())
        .addLong(0)
        .addLong(tables.lengths())
        .addInt(spec.headCount())
        .addInt(0)
        .addInt(0)
        .addInt(0);
    cache.add(parameters(), 0);
    launcher.launch(
        attention.tileUnit(),
        attention.tile(),
        attention.tileGrid(tables.tileCount(), spec.headCount()));
    products.multiply(
        output,
        new Products.Rows(at + scratch.attended(), at + scratch.roundedAttended(), rows),
        at + scratch.added(),
        true);
  }

  private static Products.Rows states(EncoderScratch scratch, long at) {
    return new Products.Rows(at + scratch.states(), at + scratch.roundedStates(), scratch.rows());
  }

  private void feedForward(Layer layer, EncoderScratch scratch, long at) {
    int rows = scratch.rows();
    int wide = spec.intermediateSize();
    products.multiply(layer.up(), states(scratch, at), at + scratch.up(), true);
    parameters().start();
    KernelStructs.slices(
        parameters(), at + scratch.up(), slices(layer.up(), scratch), (long) rows * wide);
    KernelStructs.activations(
        parameters(),
        layer.down().exact() ? at + scratch.activated() : 0,
        layer.down().rounded() ? at + scratch.roundedActivated() : 0);
    parameters().integer(wide);
    int blocks = Math.ceilDiv(wide, DecoderKernels.ROW_THREADS);
    launch("gelu", LaunchGrid.of(rows, blocks, DecoderKernels.ROW_THREADS));
    products.multiply(
        layer.down(),
        new Products.Rows(at + scratch.activated(), at + scratch.roundedActivated(), rows),
        at + scratch.added(),
        true);
  }

  private void normalize(
      EncoderScratch scratch, long at, int slices, Norm norm, Projection consumer) {
    normalize(scratch, at, slices, norm, consumer.rounded() ? at + scratch.roundedStates() : 0);
  }

  /// Adds to the states, and normalizes them.
  ///
  /// @param slices of what is added
  /// @param rounded where they go in bfloat16 besides; 0 where nobody wants that
  private void normalize(EncoderScratch scratch, long at, int slices, Norm norm, long rounded) {
    parameters().start();
    KernelStructs.activations(parameters(), at + scratch.states(), rounded);
    KernelStructs.slices(
        parameters(), at + scratch.added(), slices, (long) scratch.rows() * spec.hiddenSize());
    parameters().address(norm.weight()).address(norm.bias());
    parameters().integer(spec.hiddenSize()).real((float) spec.normEpsilon());
    launch("normalize_states", LaunchGrid.of(scratch.rows(), DecoderKernels.ROW_THREADS));
  }

  private void pool(EncoderScratch scratch, long at) {
    boolean mean =
        switch (spec.pooling()) {
          case MEAN -> true;
          case CLS -> false;
        };
    parameters().start().address(at + scratch.states()).address(tables.firstRows());
    parameters().address(at + scratch.vectors()).integer(spec.hiddenSize());
    parameters().integer(mean ? 1 : 0).integer(spec.normalize() ? 1 : 0);
    launch("pool", LaunchGrid.of(scratch.texts(), DecoderKernels.ROW_THREADS));
  }

  private LaunchParameters parameters() {
    return launcher.parameters();
  }

  private void launch(String kernel, LaunchGrid grid) {
    launcher.launch(KernelUnit.ENCODER, kernel, grid);
  }
}
