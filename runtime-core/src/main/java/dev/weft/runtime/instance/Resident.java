package dev.weft.runtime.instance;

import dev.weft.functions.Model;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.runtime.backend.Backend.Footprint;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.memory.KvShare;
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
  /// @param memory what was granted
  record Parts(
      ModelPackage files,
      Tokenizer tokenizer,
      Executable executable,
      Footprint footprint,
      DeviceMemory.Granted memory,
      int contextLength,
      String fingerprint) {}

  /// A compiled model of either kind.
  sealed interface Executable {
    record Decoder(DecoderExecutable executable, KvShare kv, ChatSupport chat)
        implements Executable {}

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
      case Executable.Decoder(DecoderExecutable executable, KvShare kv, ChatSupport chat) -> {
        var decoder =
            engine.add(
                revision.id(),
                executable,
                parts.tokenizer(),
                new Engine.DecoderOptions(
                    parts.contextLength(),
                    kv.blocks(),
                    settings.maxBatchTokens(),
                    settings.maxSequences(),
                    revision.spec().limits().maxQueuedRequests()),
                kv);
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

  /// All bytes that its going frees for others: those that it was promised. What it holds beyond
  /// them they can have without that.
  long bytes() {
    return parts.memory().promisedBytes();
  }

  Engine.Load load() {
    Engine.Instance serving = instance;
    return serving == null
        ? new Engine.Load(0, 0, 0, 0, 0, parts.footprint().kv().blockTokens())
        : serving.load();
  }

  Blocks blocks(Engine.Load load) {
    if (!(parts.executable() instanceof Executable.Decoder(_, KvShare kv, _))) {
      return Blocks.NONE;
    }
    return new Blocks(
        load.blocksPlanned(),
        load.blocksActual(),
        Math.max(kv.blocks(), kv.reachable()),
        load.tokensPerBlock(),
        kv.kv().mappedChunks());
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
    try (DeviceMemory.Granted _ = parts.memory();
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
      case Executable.Decoder(DecoderExecutable decoder, KvShare kv, _) -> {
        kv.close();
        decoder.close();
      }
      case Executable.Encoder(EncoderExecutable encoder) -> encoder.close();
    }
  }
}
