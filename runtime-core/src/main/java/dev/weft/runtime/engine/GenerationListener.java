package dev.weft.runtime.engine;

import dev.weft.runtime.sampling.SampledToken;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// Hears of one generation, on the device's thread: implementations hand over and return at once.
/// After [#onFinish] or [#onError] nothing follows.
public interface GenerationListener {
  /// The prompt's log-probabilities, when asked for: element `i` is that of token `i`, the first
  /// one `NaN`.
  default void onPromptScored(List<SampledToken> prompt) {}

  /// Text that became certain with these tokens. Text may be empty (an incomplete character, a
  /// possible stop string) while tokens is not; tokens may be empty when the end makes held-back
  /// text certain. The end token itself is not among the tokens, though usage counts it.
  void onTokens(String text, List<SampledToken> tokens);

  /// How long it took; just before its end, of one that gave a token.
  default void onTimes(Times times) {}

  void onFinish(FinishReason reason, Usage usage);

  void onError(GenerationError error);

  /// Why a generation ended well.
  enum FinishReason {
    /// An end token or a stop string.
    STOP,
    /// `maxTokens` or the context's end.
    LENGTH
  }

  /// Tokens used.
  ///
  /// @param cachedTokens prompt tokens that needed no prefill
  record Usage(int promptTokens, int cachedTokens, int completionTokens) {}

  /// Where its time went.
  ///
  /// @param queue until its first step
  /// @param prefill from there to the first token that was generated here
  /// @param decode from there to its last
  record Times(Duration queue, Duration prefill, Duration decode) {
    public static final Times NONE = new Times(Duration.ZERO, Duration.ZERO, Duration.ZERO);

    /// The longer of both, each.
    public Times longest(Times other) {
      return new Times(
          longer(queue, other.queue), longer(prefill, other.prefill), longer(decode, other.decode));
    }

    private static Duration longer(Duration a, Duration b) {
      return a.compareTo(b) < 0 ? b : a;
    }
  }

  /// Why a generation ended otherwise.
  ///
  /// @param kept what it had computed, for who goes on with it elsewhere; the listener's to close
  record GenerationError(Code code, String message, Optional<KvExport> kept) {
    /// With nothing kept.
    public GenerationError(Code code, String message) {
      this(code, message, Optional.empty());
    }

    public enum Code {
      /// The caller cancelled.
      CANCELLED,
      /// The deadline passed before the first token.
      DEADLINE,
      /// The instance was unloaded or the runtime drained.
      UNLOADED,
      /// A step failed.
      INTERNAL
    }
  }
}
