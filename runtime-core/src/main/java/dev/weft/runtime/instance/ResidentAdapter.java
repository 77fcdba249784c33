package dev.weft.runtime.instance;

import dev.weft.functions.Model;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.runtime.engine.Engine;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// An adapter on its base, which it keeps for as long as it is there.
final class ResidentAdapter implements Resident {
  private final Revision revision;
  private final Parts parts;
  private final References references = new References(this::dispose);
  private volatile @Nullable ServingModel model;

  /// What a load made.
  ///
  /// @param base what the adapter is on, retained
  /// @param generator the base as requests see it
  /// @param decoder the base with the adapter
  record Parts(
      ResidentModel base,
      ServingModel.Generator generator,
      Engine.DecoderInstance decoder,
      DeviceMemory.Granted memory,
      String fingerprint,
      KvIdentity kvIdentity) {}

  ResidentAdapter(Revision revision, Parts parts) {
    this.revision = revision;
    this.parts = parts;
  }

  @Override
  public void serve(Engine engine, InstanceSettings settings, Instant now) {
    ServingModel.Common base = parts.generator().common();
    var common =
        new ServingModel.Common(
            revision.id(),
            parts.fingerprint(),
            now,
            base.contextLength(),
            revision.spec().limits(),
            base.tokenizer());
    model =
        new ServingModel.Generator(
            common, parts.decoder(), parts.generator().chat(), parts.kvIdentity());
  }

  /// They were there before it.
  @Override
  public void awaitArrival() {}

  @Override
  public @Nullable ServingModel model() {
    return model;
  }

  @Override
  public Model.Kind kind() {
    return Model.Kind.GENERATION;
  }

  @Override
  public long weightBytes() {
    return bytes();
  }

  @Override
  public long bytes() {
    return parts.memory().ownBytes();
  }

  /// Its base's.
  @Override
  public long activationBytes() {
    return parts.memory().activationBytes();
  }

  @Override
  public Engine.Load load() {
    return parts.decoder().load();
  }

  /// The base's, which all share.
  @Override
  public Blocks blocks(Engine.Load load) {
    return parts.base().blocks(load);
  }

  /// They are its base's.
  @Override
  public int workers() {
    return 0;
  }

  /// It runs in its base's steps.
  @Override
  public @Nullable PerformanceTable profile() {
    return null;
  }

  @Override
  public void retain() {
    references.retain();
  }

  @Override
  public void release() {
    references.release();
  }

  @Override
  public boolean stop() {
    return parts.decoder().stop();
  }

  @Override
  public void awaitFetched(Duration longest) {
    parts.decoder().awaitFetched(longest);
  }

  @Override
  public CompletableFuture<Void> retire() {
    try {
      parts.decoder().close();
    } finally {
      release();
    }
    return references.gone();
  }

  private void dispose() {
    try (DeviceMemory.Granted _ = parts.memory()) {
      parts.base().release();
    }
  }
}
