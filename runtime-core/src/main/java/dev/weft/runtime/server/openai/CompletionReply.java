package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.sampling.SampledToken;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Answers of `POST /v1/completions`; chunks and whole answers are of the same type there.
///
/// @param logprobs how to write log-probabilities; empty when the request did not ask
public record CompletionReply(ReplyHead head, Optional<Logprobs> logprobs) implements Reply {
  private static final String TYPE = "text_completion";

  @Override
  public ObjectNode whole(List<ObjectNode> choices, TokenUsage usage) {
    ObjectNode json = head.begin(TYPE);
    json.putArray("choices").addAll(choices);
    json.set("usage", usage.toJson());
    return json;
  }

  @Override
  public ObjectNode usageChunk(TokenUsage usage) {
    return head.usageChunk(TYPE, usage);
  }

  @Override
  public Choice choice(int index) {
    return new TextChoice(index);
  }

  private final class TextChoice implements Choice {
    private final int index;

    /// Characters of the tokens written so far: OpenAI's `text_offset` goes on from chunk to chunk.
    private int offset;

    private TextChoice(int index) {
      this.index = index;
    }

    @Override
    public Optional<ObjectNode> opening() {
      return Optional.empty();
    }

    @Override
    public ObjectNode delta(String text, List<SampledToken> tokens) {
      return head.chunk(TYPE, choice(text, tokens, !tokens.isEmpty(), null));
    }

    @Override
    public ObjectNode end(String text, Finish finish) {
      return head.chunk(TYPE, choice(text, List.of(), false, finish));
    }

    @Override
    public ObjectNode whole(String text, List<SampledToken> tokens, Finish finish) {
      return choice(text, tokens, true, finish);
    }

    private ObjectNode choice(
        String text, List<SampledToken> tokens, boolean withLogprobs, @Nullable Finish finish) {
      ObjectNode choice = JsonNodeFactory.instance.objectNode();
      choice.put("text", text);
      choice.put("index", index);
      if (withLogprobs && logprobs.isPresent()) {
        choice.set("logprobs", logprobs.get().completion(tokens, offset));
        offset += logprobs.get().length(tokens);
      } else {
        choice.putNull("logprobs");
      }
      choice.put("finish_reason", finish == null ? null : finish.text());
      return choice;
    }
  }
}
