package dev.weft.runtime.server;

import dev.weft.runtime.engine.GenerationRequest;
import dev.weft.runtime.server.openai.ContinueRequest.Begun;
import dev.weft.runtime.server.openai.ContinueRequest.KeptKv;
import dev.weft.runtime.server.openai.Reply;
import java.util.List;
import java.util.Optional;

/// What one HTTP request makes the engine do, and how it is answered.
///
/// @param sequences one a choice, by the choice's index
record GenerationPlan(List<Sequence> sequences, Reply reply, Format format) {
  GenerationPlan {
    sequences = List.copyOf(sequences);
  }

  /// One choice.
  ///
  /// @param echo the prompt's text, when the answer begins with it
  /// @param countsPrompt whether its prompt is counted: of choices with one prompt, the first is
  /// @param scoreOnly whether the generated token is dropped, since only the prompt was asked for
  /// @param begun what has been read of it, when it goes on with a stream that broke
  record Sequence(
      GenerationRequest request,
      Optional<String> echo,
      boolean countsPrompt,
      boolean scoreOnly,
      Optional<Begun> begun) {
    /// Whether its end has been read, and nothing is left to do.
    boolean over() {
      return begun.isPresent() && begun.get().used().isPresent();
    }

    /// Where its keys and values are, when another runtime keeps them for it.
    Optional<KeptKv> kept() {
      return over() ? Optional.empty() : begun.flatMap(Begun::kv);
    }
  }

  /// How the answer is sent.
  ///
  /// @param usageChunk whether a stream ends with a chunk of usage
  /// @param tokenComments whether each frame of a stream follows a comment with its token ids
  /// @param times whether it says where the request's time went
  record Format(
      boolean streamed,
      boolean logprobs,
      boolean usageChunk,
      boolean tokenComments,
      boolean times) {}
}
