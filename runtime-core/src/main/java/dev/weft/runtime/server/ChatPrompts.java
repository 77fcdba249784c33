package dev.weft.runtime.server;

import dev.weft.runtime.instance.ChatSupport;
import dev.weft.runtime.server.openai.ChatRequest;
import dev.weft.runtime.tokenizer.ChatPrompt;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Turns a request's messages into the tokens of the model's own chat template.
final class ChatPrompts {
  private ChatPrompts() {}

  static int[] tokens(
      ChatSupport.Template template, Tokenizer tokenizer, List<ChatRequest.Message> messages) {
    List<ChatPrompt.Message> turns = messages.stream().map(ChatPrompts::turn).toList();
    return new ChatPrompt(template.template(), tokenizer).tokens(turns, Map.of());
  }

  private static ChatPrompt.Message turn(ChatRequest.Message message) {
    Map<String, Object> members = new HashMap<>();
    members.put("role", message.role().text());
    members.put("content", message.content());
    message.name().ifPresent(name -> members.put("name", name));
    return new ChatPrompt.Message(members);
  }
}
