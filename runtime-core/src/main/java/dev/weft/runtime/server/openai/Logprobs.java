package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SampledToken.Alternative;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.IntFunction;

/// Writes log-probabilities in OpenAI's two shapes.
///
/// @param tokenBytes the bytes that a token stands for
/// @param top alternatives that the request asked for with each token
public record Logprobs(IntFunction<byte[]> tokenBytes, int top) {
  /// JSON has no minus infinity; OpenAI writes this for what cannot happen.
  private static final float IMPOSSIBLE = -9999f;

  /// `choices[].logprobs` of a chat answer.
  ObjectNode chat(List<SampledToken> tokens) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    ArrayNode content = json.putArray("content");
    for (SampledToken token : tokens) {
      ObjectNode element = content.addObject();
      describe(element, token.token(), token.logprob());
      ArrayNode alternatives = element.putArray("top_logprobs");
      for (Alternative alternative : alternatives(token)) {
        describe(alternatives.addObject(), alternative.token(), alternative.logprob());
      }
    }
    json.putNull("refusal");
    return json;
  }

  /// `choices[].logprobs` of a completion, whose first token's text begins at `offset`. The first
  /// token of a scored prompt has no log-probability.
  ObjectNode completion(List<SampledToken> tokens, int offset) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    ArrayNode texts = json.putArray("tokens");
    ArrayNode logprobs = json.putArray("token_logprobs");
    ArrayNode tops = json.putArray("top_logprobs");
    ArrayNode offsets = json.putArray("text_offset");
    int next = offset;
    for (SampledToken token : tokens) {
      String text = text(token.token());
      texts.add(text);
      offsets.add(next);
      next += text.length();
      if (Float.isNaN(token.logprob())) {
        logprobs.addNull();
        tops.addNull();
        continue;
      }
      logprobs.add(finite(token.logprob()));
      if (top == 0) {
        tops.addNull();
        continue;
      }
      ObjectNode alternatives = tops.addObject();
      for (Alternative alternative : alternatives(token)) {
        // Different tokens may show the same text (parts of a character); the likeliest stays.
        alternatives.putIfAbsent(
            text(alternative.token()),
            JsonNodeFactory.instance.numberNode(finite(alternative.logprob())));
      }
      alternatives.putIfAbsent(text, JsonNodeFactory.instance.numberNode(finite(token.logprob())));
    }
    return json;
  }

  /// Characters of the tokens' texts together.
  int length(List<SampledToken> tokens) {
    return tokens.stream().mapToInt(token -> text(token.token()).length()).sum();
  }

  private void describe(ObjectNode element, int token, float logprob) {
    byte[] bytes = tokenBytes.apply(token);
    element.put("token", new String(bytes, StandardCharsets.UTF_8));
    element.put("logprob", finite(logprob));
    ArrayNode array = element.putArray("bytes");
    for (byte b : bytes) {
      array.add(b & 0xff);
    }
  }

  private List<Alternative> alternatives(SampledToken token) {
    List<Alternative> all = token.alternatives();
    return all.subList(0, Math.min(top, all.size()));
  }

  private String text(int token) {
    return new String(tokenBytes.apply(token), StandardCharsets.UTF_8);
  }

  private static float finite(float logprob) {
    return Float.isFinite(logprob) ? logprob : IMPOSSIBLE;
  }
}
