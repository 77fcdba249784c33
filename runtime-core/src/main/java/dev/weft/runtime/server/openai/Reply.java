package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.sampling.SampledToken;
import java.util.List;
import java.util.Optional;

/// Writes the answer to one request, whole or in chunks. Not thread-safe.
public sealed interface Reply permits ChatReply, CompletionReply {
  /// The writer of one choice; one for each index.
  Choice choice(int index);

  /// The answer of a request that is not streamed.
  ObjectNode whole(List<ObjectNode> choices, TokenUsage usage);

  /// The last chunk of a stream that tells its usage.
  ObjectNode usageChunk(TokenUsage usage);

  /// Writes one choice. Chunks are complete frames; [#whole] is an element of `choices`.
  interface Choice {
    /// What a stream sends before the first text.
    Optional<ObjectNode> opening();

    /// A chunk of text with the tokens that it came from.
    ObjectNode delta(String text, List<SampledToken> tokens);

    /// The last chunk of a choice.
    ///
    /// @param text that became certain with the end; empty as a rule
    ObjectNode end(String text, Finish finish);

    ObjectNode whole(String text, List<SampledToken> tokens, Finish finish);
  }

  /// OpenAI's `finish_reason`.
  enum Finish {
    STOP("stop"),
    LENGTH("length");

    private final String text;

    Finish(String text) {
      this.text = text;
    }

    String text() {
      return text;
    }
  }
}
