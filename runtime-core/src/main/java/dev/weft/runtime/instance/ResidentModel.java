package dev.weft.runtime.instance;

import dev.weft.functions.Model;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.runtime.backend.Arrival;
import dev.weft.runtime.backend.Backend.Footprint;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.engine.StepProfile;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.tokenizer.Tokenizer;
import dev.weft.runtime.weights.SourceFile;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// A model in the device's memory: compiled, and serving once [#serve] was called.
final class ResidentModel implements Resident {
  private final Revision revision;
  private final Parts parts;
  private final References references = new References(this::dispose);
  private volatile Engine.@Nullable Instance instance;
  private volatile @Nullable ServingModel model;

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
      String fingerprint,
      KvIdentity kvIdentity,
      StepProfile profile) {}

  /// A compiled model of either kind.
  sealed interface Executable {
    /// Of its weights.
    Arrival arrival();

    record Decoder(DecoderExecutable executable, KvShare kv, ChatSupport chat)
        implements Executable {
      @Override
      public Arrival arrival() {
        return executable.arrival();
      }
    }

    record Encoder(EncoderExecutable executable) implements Executable {
      @Override
      public Arrival arrival() {
        return Arrival.DONE;
      }
    }
  }

  ResidentModel(Revision revision, Parts parts) {
    this.revision = revision;
    this.parts = parts;
  }

  @Override
  public void serve(Engine engine, InstanceSettings settings, Instant now) {
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
                    revision.spec().limits().maxQueuedRequests(),
                    revision.spec().serviceLevel(),
                    parts.profile()),
                kv);
        instance = decoder;
        model = new ServingModel.Generator(common, decoder, chat, parts.kvIdentity());
      }
      case Executable.Encoder(EncoderExecutable executable) -> {
        int dimensions = executable.dimensions();
        var encoder = engine.add(revision.id(), executable, revision.spec().serviceLevel());
        instance = encoder;
        model = new ServingModel.Embedder(common, encoder, dimensions);
      }
    }
  }

  /// What adapters are checked against; empty for an encoder.
  Optional<DecoderSpec> decoderSpec() {
    return parts.files().spec() instanceof DecoderSpec spec ? Optional.of(spec) : Optional.empty();
  }

  /// What its weights are from.
  List<SourceFile> files() {
    return parts.files().weights().files();
  }

  @Override
  public void awaitArrival() {
    parts.executable().arrival().await();
  }

  @Override
  public @Nullable ServingModel model() {
    return model;
  }

  @Override
  public Model.Kind kind() {
    return switch (parts.executable()) {
      case Executable.Decoder _ -> Model.Kind.GENERATION;
      case Executable.Encoder _ -> Model.Kind.EMBEDDING;
    };
  }

  @Override
  public long weightBytes() {
    return parts.footprint().weightBytes();
  }

  /// Those that it was promised: what it holds beyond them others can have without its going.
  @Override
  public long bytes() {
    return parts.memory().ownBytes();
  }

  @Override
  public long activationBytes() {
    return parts.memory().activationBytes();
  }

  @Override
  public Engine.Load load() {
    Engine.Instance serving = instance;
    return serving == null
        ? Engine.Load.idle(parts.footprint().kv().blockTokens())
        : serving.load();
  }

  @Override
  public Blocks blocks(Engine.Load load) {
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

  @Override
  public int workers() {
    return parts.executable() instanceof Executable.Decoder(DecoderExecutable decoder, _, _)
        ? decoder.workers()
        : 0;
  }

  @Override
  public @Nullable PerformanceTable profile() {
    return parts.profile().table().orElse(null);
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
    return instance instanceof Engine.DecoderInstance decoder && decoder.stop();
  }

  @Override
  public void awaitFetched(Duration longest) {
    if (instance instanceof Engine.DecoderInstance decoder) {
      decoder.awaitFetched(longest);
    }
  }

  @Override
  public CompletableFuture<Void> retire() {
    Engine.Instance serving = instance;
    try {
      if (serving != null) {
        serving.close();
      }
      parts.profile().keep();
    } finally {
      release();
    }
    return references.gone();
  }

  private void dispose() {
    try (DeviceMemory.Granted _ = parts.memory();
        ModelPackage _ = parts.files();
        Tokenizer _ = parts.tokenizer()) {
      if (instance == null) {
        close(parts.executable());
      }
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
