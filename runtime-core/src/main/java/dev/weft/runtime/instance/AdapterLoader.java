package dev.weft.runtime.instance;

import dev.weft.autoscaler.memory.ModelFootprint;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.InstanceStatus.LoadProgress.Phase;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.model.AdapterFiles;
import dev.weft.runtime.model.AdapterPackage;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.tensor.Tensor;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/// Puts an adapter's files onto a base that serves: opens and checks them against it, gets memory,
/// packs. What a failed load took is given back before its exception leaves.
final class AdapterLoader {
  private final DeviceMemory memory;
  private final Fingerprints fingerprints;

  AdapterLoader(DeviceMemory memory, Fingerprints fingerprints) {
    this.memory = memory;
    this.fingerprints = fingerprints;
  }

  /// What tells the answers of two revisions apart.
  @FunctionalInterface
  interface Fingerprints {
    String of(Revision revision);
  }

  /// Loads the files at `path` onto `base`, which the caller keeps from going meanwhile.
  ResidentAdapter load(Revision revision, Path path, ResidentModel base, Consumer<Phase> phase) {
    phase.accept(Phase.VERIFYING);
    DecoderSpec spec = spec(revision, base);
    if (!(base.model() instanceof ServingModel.Generator generator)) {
      throw new IllegalStateException("the base of %s does not serve".formatted(revision.id()));
    }
    Engine.DecoderInstance decoder = generator.decoder();
    try (AdapterPackage files = AdapterFiles.open(path, spec);
        var undo = new UndoStack()) {
      AdapterWeights weights = files.weights();
      var granted = memory.reserve(revision.id(), footprint(decoder, weights));
      undo.add(granted);
      phase.accept(Phase.PACKING);
      Engine.DecoderInstance adapted =
          undo.add(
              decoder.adapt(revision.id(), weights, revision.spec().limits().maxQueuedRequests()));
      var identity = new KvIdentity(revision, generator.kvIdentity().get(), () -> tensors(weights));
      // Now, while its files are open.
      identity.get();
      base.retain();
      undo.keepAll();
      return new ResidentAdapter(
          revision,
          new ResidentAdapter.Parts(
              base, generator, adapted, granted, fingerprints.of(revision), identity));
    }
  }

  private static List<Tensor> tensors(AdapterWeights weights) {
    return weights.deltas().stream()
        .flatMap(delta -> Stream.of(delta.a(), delta.b()))
        .sorted(Comparator.comparing(Tensor::name))
        .toList();
  }

  private static DecoderSpec spec(Revision revision, ResidentModel base) {
    return base.decoderSpec()
        .orElseThrow(() ->
            LoadException.refused(
                Rejection.Code.UNSUPPORTED,
                "%s makes embeddings, and has no adapters".formatted(revision.spec().adapterOf())));
  }

  /// KV memory is the base's.
  private static ModelFootprint footprint(Engine.DecoderInstance decoder, AdapterWeights weights) {
    return new ModelFootprint(decoder.adapterBytes(weights), 0, 0, 1, 1);
  }
}
