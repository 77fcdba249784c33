package dev.weft.runtime.instance;

import dev.weft.autoscaler.memory.ModelFootprint;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.Quantization;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.InstanceStatus.LoadProgress.Phase;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.Backend.Footprint;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.engine.StepProfile;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.ModelSpec;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.tokenizer.ChatTemplate;
import dev.weft.runtime.tokenizer.Tokenizer;
import dev.weft.runtime.tokenizer.TokenizerSource;
import dev.weft.runtime.tokenizer.Tokenizers;
import dev.weft.runtime.tokenizer.template.ChatTemplates;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;

/// Makes a [ResidentModel] of a model's files: opens and checks them, measures, gets memory,
/// compiles. What a failed load took is given back before its exception leaves.
final class ModelLoader implements AutoCloseable {
  /// A model serves while its last weights are still on their way, so that its first step computes
  /// meanwhile: for so long at most, since others of the device wait behind that step.
  private static final Duration NEAR = Duration.ofMillis(50);

  private final Backend backend;
  private final DeviceId device;
  private final DeviceMemory memory;
  private final Balloon balloon;
  private final InstanceSettings settings;
  private final ProfileStore profiles;
  private final Runnable changed;
  private final SharedTokenizers tokenizers =
      new SharedTokenizers(SharedTokenizers.IDLE_TOKENS_MAX);
  private final ExecutorService tokenizerThreads =
      Executors.newThreadPerTaskExecutor(
          Thread.ofPlatform().name("weft-tokenizer-", 0).daemon().factory());

  /// @param changed told when something is known of a loaded model that was not before
  ModelLoader(
      InstanceManager.Device device,
      DeviceMemory memory,
      InstanceSettings settings,
      Runnable changed) {
    this.device = device.identity().device();
    this.backend = device.backend();
    this.memory = memory;
    this.balloon = device.balloon();
    this.settings = settings;
    this.profiles = device.profiles();
    this.changed = changed;
  }

  /// A model as this device would run it.
  record Measured(
      Model.Kind kind, String family, Footprint footprint, int contextLength, ModelFootprint fit) {}

  /// Loads the files at `path`. `phase` hears what goes on.
  ResidentModel load(Revision revision, Path path, Consumer<Phase> phase) {
    phase.accept(Phase.VERIFYING);
    try (var undo = new UndoStack()) {
      ModelPackage files = undo.add(ModelFiles.open(path));
      // The longest part of a load whose weights are mapped: it goes on beside all the rest.
      CompletableFuture<Tokenizer> tokenizer =
          CompletableFuture.supplyAsync(() -> tokenizer(files), tokenizerThreads);
      undo.onUndo(() -> tokenizer.thenAccept(Tokenizer::close).exceptionally(_ -> null).join());
      Measured measured = measure(revision.spec(), files);
      DeviceMemory.Granted granted = memory.reserve(revision.id(), measured.fit());
      undo.add(granted);
      phase.accept(Phase.COMPILING);
      ResidentModel.Executable executable = compile(revision, files, measured, granted);
      undo.onUndo(() -> ResidentModel.close(executable));
      ResidentModel resident =
          new ResidentModel(
              revision,
              new ResidentModel.Parts(
                  files,
                  join(tokenizer),
                  executable,
                  measured.footprint(),
                  granted,
                  measured.contextLength(),
                  fingerprint(revision),
                  new KvIdentity(revision, backend.arithmetic(), () -> tensors(files)),
                  profile(revision.spec(), path, measured)));
      executable.arrival().awaitNear(NEAR);
      undo.keepAll();
      return resident;
    }
  }

  private static List<Tensor> tensors(ModelPackage files) {
    Weights weights = files.weights();
    return weights.names().stream().sorted().map(weights::tensor).toList();
  }

  /// By all that steps depend on: the files, how they are held, and the device.
  private StepProfile profile(FunctionSpec spec, Path path, Measured measured) {
    return measured.kind() == Model.Kind.EMBEDDING
        ? StepProfile.none()
        : profiles.open(
            path,
            List.of(
                device.value(),
                backend.name(),
                word(spec.quantization()),
                KvType.of(spec.kvCache()).name(),
                "%d tokens".formatted(measured.contextLength()),
                settings.toString()),
            changed);
  }

  private Tokenizer tokenizer(ModelPackage files) {
    return tokenizers.open(files.vocabularyFiles(), () -> Tokenizers.open(files.tokenizer()));
  }

  private static <T> T join(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }

  /// What the files at `path` would need here.
  Measured measure(FunctionSpec spec, Path path) {
    try (ModelPackage files = ModelFiles.open(path)) {
      Measured measured = measure(spec, files);
      // Whoever asks wants to know whether it would load, too.
      TokenizerSource _ = files.tokenizer();
      return measured;
    }
  }

  /// Lets go of what is kept for models that may come back.
  @Override
  public void close() {
    tokenizers.close();
    tokenizerThreads.close();
  }

  /// Brings weights into the host's memory, and returns the files that they are from.
  List<SourceFile> toHost(Path path) {
    try (ModelPackage files = ModelFiles.open(path)) {
      if (!backend.hostTier().bring(files.spec(), files.weights())) {
        throw LoadException.refused(
            Rejection.Code.NO_MEMORY_NOW,
            "the host's memory has no room for the weights beside those that are on their way");
      }
      return files.weights().files();
    }
  }

  private Measured measure(FunctionSpec spec, ModelPackage files) {
    requireQuantization(spec.quantization());
    Model.Kind kind = kind(files.spec());
    Model.Kind declared = spec.model().kind();
    if (declared != null && declared != kind) {
      throw LoadException.refused(
          Rejection.Code.UNSUPPORTED,
          "the function is declared as %s, and its model (%s) is for %s"
              .formatted(word(declared), files.spec().family(), word(kind)));
    }
    int longest = files.spec().contextLength();
    Integer asked = spec.model().contextLength();
    if (asked != null && asked > longest) {
      throw LoadException.refused(
          Rejection.Code.UNSUPPORTED,
          "contextLength %d is more than the model's own %d".formatted(asked, longest));
    }
    if (asked != null) {
      return measure(spec, files, kind, asked);
    }
    Measured measured = measure(spec, files, kind, longest);
    while (tooLong(measured.fit())) {
      int shorter = Math.max(InstanceSettings.MIN_CONTEXT_LENGTH, measured.contextLength() / 2);
      measured = measure(spec, files, kind, shorter);
    }
    return measured;
  }

  /// Nobody named a context, and the model's own would take too much of this device.
  private boolean tooLong(ModelFootprint fit) {
    double left = (memory.capacityBytes() - fit.fixedBytes()) * InstanceSettings.MAX_CONTEXT_SHARE;
    return fit.contextBytes() > left && fit.contextLength() > InstanceSettings.MIN_CONTEXT_LENGTH;
  }

  private Measured measure(
      FunctionSpec spec, ModelPackage files, Model.Kind kind, int contextLength) {
    Footprint footprint =
        backend.footprint(files.spec(), files.weights(), options(spec, contextLength, 0));
    long chunkBytes = balloon.pool().chunkBytes();
    ModelFootprint fit =
        new ModelFootprint(
            footprint.weightBytes(),
            Math.ceilDiv(footprint.activationBytes(), chunkBytes) * chunkBytes,
            contextChunks(footprint.kv(), contextLength),
            chunkBytes,
            contextLength);
    return new Measured(kind, files.spec().family(), footprint, contextLength, fit);
  }

  private int contextChunks(KvLayout layout, int contextLength) {
    return layout.blockBytes() == 0
        ? 0
        : layout.tiling(balloon.pool().chunkBytes()).chunksFor(layout.blocksFor(contextLength));
  }

  /// Refuses what the device does not offer.
  void requireQuantization(Quantization asked) {
    if (!backend.quantizations().contains(asked)) {
      throw LoadException.refused(
          Rejection.Code.UNSUPPORTED,
          "quantization %s is not offered by this device (%s); it offers %s"
              .formatted(
                  word(asked),
                  backend.name(),
                  backend.quantizations().stream().sorted().map(ModelLoader::word).toList()));
    }
  }

  private ResidentModel.Executable compile(
      Revision revision, ModelPackage files, Measured measured, DeviceMemory.Granted granted) {
    Scratch scratch = balloon.openScratch(measured.footprint().activationBytes());
    try {
      return switch (files.spec()) {
        case DecoderSpec decoder -> decoder(revision, files, decoder, measured, granted, scratch);
        case EncoderSpec encoder ->
            new ResidentModel.Executable.Encoder(
                backend.compile(
                    encoder,
                    files.weights(),
                    options(revision.spec(), measured.contextLength(), 0),
                    scratch));
      };
    } catch (RuntimeException | Error e) {
      scratch.close();
      throw e;
    }
  }

  private ResidentModel.Executable decoder(
      Revision revision,
      ModelPackage files,
      DecoderSpec spec,
      Measured measured,
      DeviceMemory.Granted granted,
      Scratch scratch) {
    ChatSupport chat = chat(files.chatTemplate());
    KvShare kv =
        balloon.open(
            revision.id().toString(),
            measured.footprint().kv().blockBytes(),
            measured.fit().contextChunks(),
            granted.reservation());
    CompileOptions options =
        options(revision.spec(), measured.contextLength(), kv.addressableBlocks());
    try {
      var memory = new DecoderMemory(kv.kv(), scratch);
      return new ResidentModel.Executable.Decoder(
          backend.compile(spec, files.weights(), options, memory), kv, chat);
    } catch (RuntimeException | Error e) {
      kv.close();
      kv.kv().close();
      throw e;
    }
  }

  private CompileOptions options(FunctionSpec spec, int contextLength, int kvBlockCount) {
    return new CompileOptions(
        spec.quantization(),
        KvType.of(spec.kvCache()),
        contextLength,
        kvBlockCount,
        settings.maxBatchTokens(),
        settings.maxSequences());
  }

  /// A template that cannot be read takes chat away, and says so to who asks for it; completions do
  /// not need it.
  private static ChatSupport chat(Optional<String> source) {
    if (source.isEmpty()) {
      return new ChatSupport.None("the model has no chat template");
    }
    try {
      return new ChatSupport.Template(ChatTemplates.compile(source.get()));
    } catch (ChatTemplate.ChatTemplateException e) {
      return new ChatSupport.None("the model's chat template cannot be read: " + e.getMessage());
    }
  }

  private static Model.Kind kind(ModelSpec spec) {
    return switch (spec) {
      case DecoderSpec _ -> Model.Kind.GENERATION;
      case EncoderSpec _ -> Model.Kind.EMBEDDING;
    };
  }

  String fingerprint(Revision revision) {
    String what =
        String.join("\n", revision.id().toString(), revision.spec().toString(), backend.name());
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(what.getBytes(StandardCharsets.UTF_8));
      return "fp_" + HexFormat.of().formatHex(hash, 0, 5);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  private static String word(Enum<?> value) {
    return value.name().toLowerCase(java.util.Locale.ROOT);
  }
}
