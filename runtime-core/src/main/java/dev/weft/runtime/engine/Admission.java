package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.engine.Engine.DecoderOptions;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.Engine.Submission.Rejected;
import dev.weft.runtime.scheduling.StepPlanner;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/// Lets requests into a decoder, by its own entrance or that of an adapter: refuses what can never
/// work and what is too much, and hands the rest over to the device's thread. **thread**: any.
final class Admission {
  private final DecoderOptions options;
  private final Tokenizer tokenizer;
  private final StepPlanner planner;
  private final InTime.Kv kv;
  private final InTime inTime;
  private final DeviceThread device;
  private final Consumer<Generation> admitted;

  /// By the handle of the adapter.
  private final Map<Integer, Entrance> entrances = new ConcurrentHashMap<>();

  private volatile boolean closed;

  /// @param admitted takes what was let in, on the device's thread
  Admission(
      DecoderOptions options,
      Tokenizer tokenizer,
      StepPlanner planner,
      InTime.Kv kv,
      InTime inTime,
      DeviceThread device,
      Consumer<Generation> admitted) {
    this.options = options;
    this.tokenizer = tokenizer;
    this.planner = planner;
    this.kv = kv;
    this.inTime = inTime;
    this.device = device;
    this.admitted = admitted;
  }

  /// Opens an entrance.
  ///
  /// @param adapter the handle of the adapter that it leads to, or none
  Entrance open(RevisionId of, int adapter, int maxWaiting) {
    var entrance = new Entrance(of, adapter, options.maxSequences() + maxWaiting);
    entrances.put(adapter, entrance);
    return entrance;
  }

  /// Forgets an entrance. Returns whether it was known.
  boolean remove(Entrance entrance) {
    return entrances.remove(entrance.adapter(), entrance);
  }

  /// Nothing enters from now on.
  void close() {
    closed = true;
  }

  /// What came in by any entrance and has not ended.
  int outstanding() {
    return entrances.values().stream().mapToInt(Entrance::outstanding).sum();
  }

  Submission submit(Entrance entrance, GenerationRequest request, GenerationListener listener) {
    return submit(entrance, request, listener, this::queue);
  }

  Submission submitInTime(
      Entrance entrance, GenerationRequest request, GenerationListener listener) {
    return submit(entrance, request, listener, this::ask);
  }

  /// Hands an admitted generation over; says why when that was not possible.
  private interface HandOver {
    Optional<Rejected> to(Generation generation);
  }

  private Submission submit(
      Entrance entrance,
      GenerationRequest request,
      GenerationListener listener,
      HandOver handOver) {
    checkTokens(request.promptTokens());
    checkTokens(request.generated());
    Optional<Rejected> never = neverWorks(request);
    if (never.isPresent()) {
      return never.get();
    }
    if (closed || entrance.closed()) {
      return closing();
    }
    var generation = new Generation(entrance, request, listener, tokenizer, device.nanoTime());
    if (generation.overrun()) {
      return new Rejected(Rejected.Code.OVERRUN, "tokens were generated after the end");
    }
    if (!entrance.tryEnter()) {
      return full();
    }
    Optional<Rejected> refused = handOver.to(generation);
    if (refused.isPresent()) {
      generation.leave();
      return refused.get();
    }
    return generation;
  }

  private void checkTokens(int[] tokens) {
    for (int token : tokens) {
      if (token < 0 || token >= tokenizer.vocabularySize()) {
        throw new IllegalArgumentException(
            "token %d is outside the vocabulary of %d"
                .formatted(token, tokenizer.vocabularySize()));
      }
    }
  }

  private Optional<Rejected> neverWorks(GenerationRequest request) {
    int prompt = request.promptTokens().length;
    long length = (long) prompt + request.maxTokens();
    if (length > options.contextLength()) {
      return Optional.of(
          new Rejected(
              Rejected.Code.CONTEXT_LENGTH,
              "the prompt has %d tokens and %d more are asked for; the context holds %d"
                  .formatted(prompt, request.maxTokens(), options.contextLength())));
    }
    if (!planner.canEverFit((int) length)) {
      return Optional.of(
          new Rejected(
              Rejected.Code.NEVER_FITS,
              "%d tokens do not fit into the KV memory of %d blocks of %d tokens"
                  .formatted(length, kv.blocks().capacity(), kv.layout().blockTokens())));
    }
    return Optional.empty();
  }

  /// Puts it into the device's queue.
  private Optional<Rejected> queue(Generation generation) {
    if (device.offer(() -> admitted.accept(generation))) {
      return Optional.empty();
    }
    return Optional.of(closed ? closing() : full());
  }

  /// Waits until the device's thread has decided whether it is in time.
  private Optional<Rejected> ask(Generation generation) {
    var refused = new AtomicReference<Optional<Rejected>>(Optional.empty());
    boolean asked =
        device.call(() -> {
          refused.set(inTime.refusal(generation));
          if (refused.get().isEmpty()) {
            admitted.accept(generation);
          }
        });
    return asked ? refused.get() : Optional.of(closing());
  }

  private static Rejected closing() {
    return new Rejected(Rejected.Code.CLOSING, "the instance is being unloaded");
  }

  private Rejected full() {
    return new Rejected(
        Rejected.Code.QUEUE_FULL,
        "%d requests run and %d wait already"
            .formatted(options.maxSequences(), options.maxWaiting()));
  }
}
