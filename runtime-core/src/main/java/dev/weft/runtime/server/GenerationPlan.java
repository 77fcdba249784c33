package dev.weft.runtime.server;

import dev.weft.runtime.engine.GenerationRequest;
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
  record Sequence(
      GenerationRequest request, Optional<String> echo, boolean countsPrompt, boolean scoreOnly) {}

  /// How the answer is sent.
  ///
  /// @param usageChunk whether a stream ends with a chunk of usage
  /// @param tokenComments whether each frame of a stream follows a comment with its token ids
  record Format(boolean streamed, boolean logprobs, boolean usageChunk, boolean tokenComments) {}
}
