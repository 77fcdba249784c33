package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// The device's loop: one platform thread that picks an instance, runs one step of it, and emits.
/// Every method may be called from any thread.
public interface Engine extends AutoCloseable {
  /// Puts a compiled decoder to work. The instance owns the executable from now on.
  DecoderInstance add(
      RevisionId revision,
      DecoderExecutable executable,
      Tokenizer tokenizer,
      DecoderOptions options);

  /// Puts a compiled decoder to work whose KV memory is a share of the device's: it grows beyond
  /// `options.kvBlockCount()` and shrinks while the instance runs. The instance closes the share.
  DecoderInstance add(
      RevisionId revision,
      DecoderExecutable executable,
      Tokenizer tokenizer,
      DecoderOptions options,
      KvShare kv);

  /// Puts a compiled encoder to work. The instance owns the executable from now on.
  ///
  /// @param serviceLevel what its callers are promised: all vectors of a call within its time to
  ///   first token
  EncoderInstance add(RevisionId revision, EncoderExecutable executable, ServiceLevel serviceLevel);

  /// Runs a task on the device's thread, between two steps, and returns when it is done; what it
  /// throws is thrown here. False when the engine has ended and the task was not run. Not to be
  /// called by listeners and tasks.
  boolean call(Runnable task);

  /// How long the KV memory of the device is expected to last for what runs now; empty when its end
  /// is not in sight.
  Optional<Duration> kvLasts();

  /// Time since the loop last came round; grows without bound when a step hangs. An idle loop comes
  /// round too.
  Duration sinceLastTurn();

  /// Ends all that runs with `UNLOADED` and closes every instance.
  @Override
  void close();

  /// Bounds of a decoder instance.
  ///
  /// @param kvBlockCount KV blocks at the start
  /// @param maxBatchTokens rows in one step, decode and prefill chunks together; at least
  ///   `maxSequences`, so that prefill never starves
  /// @param maxSequences sequences in one step
  /// @param maxWaiting requests waiting for a place in the batch
  /// @param serviceLevel what its callers are promised
  /// @param profile how long its steps take
  record DecoderOptions(
      int contextLength,
      int kvBlockCount,
      int maxBatchTokens,
      int maxSequences,
      int maxWaiting,
      ServiceLevel serviceLevel,
      StepProfile profile) {
    public DecoderOptions {
      if (contextLength < 2 || kvBlockCount < 0 || maxSequences < 1 || maxWaiting < 0) {
        throw new IllegalArgumentException(
            "context %d, %d blocks, %d sequences, %d waiting"
                .formatted(contextLength, kvBlockCount, maxSequences, maxWaiting));
      }
      if (maxBatchTokens < maxSequences) {
        throw new IllegalArgumentException(
            "%d rows a step cannot serve %d sequences".formatted(maxBatchTokens, maxSequences));
      }
    }
  }

  /// What an instance is doing now.
  ///
  /// @param headroom how much later the device could turn to it and yet be in time with all of its
  ///   requests; negative when it is too late for one; `null` when it has none, or nothing is known
  ///   of how long its steps take
  record Load(
      int running,
      int waiting,
      int blocksPlanned,
      int blocksActual,
      int blockCapacity,
      int tokensPerBlock,
      @Nullable Duration headroom) {
    /// Of an instance that does nothing, and has no blocks.
    public static Load idle(int tokensPerBlock) {
      return new Load(0, 0, 0, 0, 0, tokensPerBlock, null);
    }

    public boolean busy() {
      return running > 0 || waiting > 0;
    }
  }

  /// An instance of either kind. Closing it ends what it runs (`UNLOADED`), waits for the step
  /// under way, and closes the executable on the device's thread. Listeners must not call it: they
  /// run on the thread that it waits for.
  sealed interface Instance extends AutoCloseable permits DecoderInstance, EncoderInstance {
    RevisionId revision();

    Load load();

    @Override
    void close();
  }

  /// A decoder at work.
  non-sealed interface DecoderInstance extends Instance {
    /// Admits or refuses, at once; admitted work is heard of through the listener. Throws
    /// [IllegalArgumentException] for a token outside the tokenizer's vocabulary.
    Submission submit(GenerationRequest request, GenerationListener listener);

    /// The same, but refuses as well what would be late, or make others late. Waits for the step
    /// under way, after which it is decided on exact numbers. Not to be called by listeners.
    Submission submitInTime(GenerationRequest request, GenerationListener listener);

    /// Ends what runs and admits nothing more, as closing does, but keeps what running sequences
    /// have computed until it is fetched, or this is closed. Returns whether anything is kept.
    /// Takes up to a step. Not to be called by listeners.
    boolean stop();

    /// Waits until nobody wants what is kept, at most so long.
    void awaitFetched(Duration longest);

    /// Plans memory for keys and values of a text that were computed elsewhere; empty when there is
    /// none. Takes up to a step. Not to be called by listeners.
    Optional<KvArrival> arrive(int[] tokens);

    /// Bytes that an adapter of this decoder takes.
    long adapterBytes(AdapterWeights adapter);

    /// This decoder with an adapter: an instance with a revision and a queue of its own, whose
    /// requests run in the same steps, over the same KV memory. The adapter is prepared on the
    /// caller's thread. Closing the result ends what it runs and frees the adapter; closing this
    /// instance ends all of them.
    ///
    /// @param maxWaiting requests waiting for a place in the batch
    DecoderInstance adapt(RevisionId revision, AdapterWeights adapter, int maxWaiting);
  }

  /// An encoder at work.
  non-sealed interface EncoderInstance extends Instance {
    /// One vector a text. Cancelling the future cancels the work. It completes on the device's
    /// thread, so what depends on it hands over; it fails with an [EmbeddingException].
    CompletableFuture<List<float[]>> embed(List<int[]> texts);
  }

  /// The answer to a submission.
  sealed interface Submission {
    /// Admitted; [#cancel] may be called at any time, from any thread.
    non-sealed interface Admitted extends Submission {
      void cancel();
    }

    /// Refused, with the reason.
    ///
    /// @param values the figures behind it, where it is one of `NOT_IN_TIME`
    record Rejected(Code code, String message, Map<String, Double> values) implements Submission {
      public Rejected {
        values = Map.copyOf(values);
      }

      Rejected(Code code, String message) {
        this(code, message, Map.of());
      }

      public enum Code {
        /// The queue is full; later may work.
        QUEUE_FULL,
        /// Prompt and `maxTokens` exceed the context; never works.
        CONTEXT_LENGTH,
        /// The KV memory of the instance can never hold this sequence.
        NEVER_FITS,
        /// The instance is closing.
        CLOSING,
        /// What was generated elsewhere goes on after its end.
        OVERRUN,
        /// Memory that it may come to need is missing; elsewhere, or later, there may be some.
        NOT_IN_TIME_MEMORY,
        /// Its tokens would be late, or make those of others late.
        NOT_IN_TIME_DECODE_SHARE,
        /// A first token would be late: its own, or that of a request behind it.
        NOT_IN_TIME_PROMPTS
      }
    }
  }
}
