package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.sampling.SampledToken;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Answers of `POST /v1/chat/completions`.
///
/// @param logprobs how to write log-probabilities; empty when the request did not ask
public record ChatReply(ReplyHead head, Optional<Logprobs> logprobs) implements Reply {
  private static final String WHOLE = "chat.completion";
  private static final String CHUNK = "chat.completion.chunk";

  @Override
  public ObjectNode whole(List<ObjectNode> choices, TokenUsage usage) {
    ObjectNode json = head.begin(WHOLE);
    json.putArray("choices").addAll(choices);
    json.set("usage", usage.toJson());
    return json;
  }

  @Override
  public ObjectNode usageChunk(TokenUsage usage) {
    return head.usageChunk(CHUNK, usage);
  }

  @Override
  public Choice choice(int index) {
    return new ChatChoice(index);
  }

  private final class ChatChoice implements Choice {
    private final int index;

    private ChatChoice(int index) {
      this.index = index;
    }

    @Override
    public Optional<ObjectNode> opening() {
      ObjectNode delta = JsonNodeFactory.instance.objectNode();
      delta.put("role", "assistant");
      delta.put("content", "");
      return Optional.of(chunk(delta, List.of(), null));
    }

    @Override
    public ObjectNode delta(String text, List<SampledToken> tokens) {
      return chunk(JsonNodeFactory.instance.objectNode().put("content", text), tokens, null);
    }

    @Override
    public ObjectNode end(String text, Finish finish) {
      ObjectNode delta = JsonNodeFactory.instance.objectNode();
      if (!text.isEmpty()) {
        delta.put("content", text);
      }
      return chunk(delta, List.of(), finish);
    }

    @Override
    public ObjectNode whole(String text, List<SampledToken> tokens, Finish finish) {
      ObjectNode choice = JsonNodeFactory.instance.objectNode();
      choice.put("index", index);
      ObjectNode message = choice.putObject("message");
      message.put("role", "assistant");
      message.put("content", text);
      message.putNull("refusal");
      choice.set("logprobs", logprobs(tokens, logprobs.isPresent()));
      choice.put("finish_reason", finish.text());
      return choice;
    }

    private ObjectNode chunk(ObjectNode delta, List<SampledToken> tokens, @Nullable Finish finish) {
      ObjectNode choice = JsonNodeFactory.instance.objectNode();
      choice.put("index", index);
      choice.set("delta", delta);
      choice.set("logprobs", logprobs(tokens, !tokens.isEmpty()));
      choice.put("finish_reason", finish == null ? null : finish.text());
      return head.chunk(CHUNK, choice);
    }

    private @Nullable ObjectNode logprobs(List<SampledToken> tokens, boolean present) {
      return present ? logprobs.map(format -> format.chat(tokens)).orElse(null) : null;
    }
  }
}
