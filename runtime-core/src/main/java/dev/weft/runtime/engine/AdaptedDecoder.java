package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.model.AdapterWeights;
import java.time.Duration;
import java.util.Optional;

/// A decoder with one of its adapters.
final class AdaptedDecoder implements Engine.DecoderInstance {
  private final DecoderLoop base;
  private final Admission admission;
  private final Entrance entrance;

  AdaptedDecoder(DecoderLoop base, Admission admission, Entrance entrance) {
    this.base = base;
    this.admission = admission;
    this.entrance = entrance;
  }

  @Override
  public RevisionId revision() {
    return entrance.revision();
  }

  /// Its own requests; the blocks are the decoder's, which all share, and so is the headroom: all
  /// run in the same steps.
  @Override
  public Engine.Load load() {
    Engine.Load shared = base.load();
    int running = entrance.running();
    return new Engine.Load(
        running,
        Math.max(0, entrance.outstanding() - running),
        shared.blocksPlanned(),
        shared.blocksActual(),
        shared.blockCapacity(),
        shared.tokensPerBlock(),
        entrance.outstanding() == 0 ? null : shared.headroom());
  }

  @Override
  public Engine.Submission submit(GenerationRequest request, GenerationListener listener) {
    return admission.submit(entrance, request, listener);
  }

  @Override
  public Engine.Submission submitInTime(GenerationRequest request, GenerationListener listener) {
    return admission.submitInTime(entrance, request, listener);
  }

  @Override
  public boolean stop() {
    return base.stop(entrance);
  }

  @Override
  public void awaitFetched(Duration longest) {
    base.awaitFetched(longest);
  }

  @Override
  public Optional<KvArrival> arrive(int[] tokens) {
    return base.arrive(tokens, entrance.adapter());
  }

  @Override
  public long adapterBytes(AdapterWeights adapter) {
    return base.adapterBytes(adapter);
  }

  @Override
  public Engine.DecoderInstance adapt(RevisionId revision, AdapterWeights adapter, int maxWaiting) {
    throw new UnsupportedOperationException("an adapter of an adapter");
  }

  @Override
  public void close() {
    base.close(entrance);
  }
}
