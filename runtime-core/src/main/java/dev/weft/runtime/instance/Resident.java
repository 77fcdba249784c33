package dev.weft.runtime.instance;

import dev.weft.functions.Model;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.runtime.backend.Backend.Footprint;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// A model in the device's memory: compiled, and serving once [#serve] was called. Holds everything
/// that the load took, and gives it back when it has been retired and the last lease is closed: a
/// tokenizer is native memory, and must outlive the request that is using it.
final class Resident {
  private final Revision revision;
  private final Parts parts;
  private final CompletableFuture<Void> gone = new CompletableFuture<>();
  private volatile Engine.@Nullable Instance instance;
  private volatile @Nullable ServingModel model;
  private int references = 1;

  /// What a load made.
  ///
  /// @param kvBlockCount 0 for an encoder
  record Parts(
      ModelPackage files,
      Tokenizer tokenizer,
      Executable executable,
      Footprint footprint,
      Reservation reservation,
      int contextLength,
      int kvBlockCount,
      String fingerprint) {}

  /// A compiled model of either kind.
  sealed interface Executable {
    record Decoder(DecoderExecutable executable, ChatSupport chat) implements Executable {}

    record Encoder(EncoderExecutable executable) implements Executable {}
  }

  Resident(Revision revision, Parts parts) {
    this.revision = revision;
    this.parts = parts;
  }

  /// Puts the model to work. Called once, before anyone else knows of this resident's model.
  void serve(Engine engine, InstanceSettings settings, Instant now) {
    var common =
        new ServingModel.Common(
            revision.id(),
            parts.fingerprint(),
            now,
            parts.contextLength(),
            revision.spec().limits(),
            parts.tokenizer());
    switch (parts.executable()) {
      case Executable.Decoder(DecoderExecutable executable, ChatSupport chat) -> {
        var decoder =
            engine.add(
                revision.id(),
                executable,
                parts.tokenizer(),
                new Engine.DecoderOptions(
                    parts.contextLength(),
                    parts.kvBlockCount(),
                    settings.maxBatchTokens(),
                    settings.maxSequences(),
                    revision.spec().limits().maxQueuedRequests()));
        instance = decoder;
        model = new ServingModel.Generator(common, decoder, chat);
      }
      case Executable.Encoder(EncoderExecutable executable) -> {
        int dimensions = executable.dimensions();
        var encoder = engine.add(revision.id(), executable);
        instance = encoder;
        model = new ServingModel.Embedder(common, encoder, dimensions);
      }
    }
  }

  /// The model as requests see it; `null` until it serves.
  @Nullable ServingModel model() {
    return model;
  }

  Model.Kind kind() {
    return switch (parts.executable()) {
      case Executable.Decoder _ -> Model.Kind.GENERATION;
      case Executable.Encoder _ -> Model.Kind.EMBEDDING;
    };
  }

  long weightBytes() {
    return parts.footprint().weightBytes();
  }

  /// All bytes that its going frees.
  long bytes() {
    return parts.reservation().plannedBytes();
  }

  Engine.Load load() {
    Engine.Instance serving = instance;
    return serving == null
        ? new Engine.Load(0, 0, 0, 0, parts.kvBlockCount(), parts.footprint().kv().blockTokens())
        : serving.load();
  }

  Blocks blocks(Engine.Load load) {
    return new Blocks(
        load.blocksPlanned(), load.blocksActual(), load.blockCapacity(), load.tokensPerBlock());
  }

  synchronized void retain() {
    if (references == 0) {
      throw new IllegalStateException(revision.id() + " is gone");
    }
    references++;
  }

  void release() {
    synchronized (this) {
      references--;
      if (references > 0) {
        return;
      }
    }
    dispose();
  }

  /// Ends what runs and lets go of the model; call once. Completes when all of it has been given
  /// back, which is now unless somebody still has a lease.
  CompletableFuture<Void> retire() {
    Engine.Instance serving = instance;
    try {
      if (serving != null) {
        serving.close();
      }
    } finally {
      release();
    }
    return gone;
  }

  private void dispose() {
    try (Reservation _ = parts.reservation();
        ModelPackage _ = parts.files();
        Tokenizer _ = parts.tokenizer()) {
      if (instance == null) {
        close(parts.executable());
      }
    } finally {
      gone.complete(null);
    }
  }

  static void close(Executable executable) {
    switch (executable) {
      case Executable.Decoder(DecoderExecutable decoder, _) -> decoder.close();
      case Executable.Encoder(EncoderExecutable encoder) -> encoder.close();
    }
  }
}
