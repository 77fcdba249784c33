package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// The body of `POST /v1/chat/completions`.
public record ChatRequest(
    Optional<String> model, List<Message> messages, GenerationParameters generation) {
  static final int MAX_MESSAGES = 2_048;
  private static final int MAX_PARTS = 1_024;

  public ChatRequest {
    messages = List.copyOf(messages);
  }

  /// One message. Text parts are one text, a line each.
  public record Message(Role role, String content, Optional<String> name) {}

  /// Who speaks. OpenAI's `developer` is the newer name of `system`, the one that templates know.
  public enum Role {
    SYSTEM("system"),
    USER("user"),
    ASSISTANT("assistant");

    private final String text;

    Role(String text) {
      this.text = text;
    }

    /// The name that templates know it by.
    public String text() {
      return text;
    }
  }

  public static ChatRequest parse(ObjectNode body) {
    Parameters parameters = Parameters.of(body);
    Optional<String> model = parameters.string("model");
    List<Message> messages = messages(parameters.required("messages"));
    GenerationParameters generation =
        GenerationParameters.take(parameters, maxTokens(parameters), topLogprobs(parameters));
    requireText(parameters);
    parameters.refuseOthers();
    return new ChatRequest(model, messages, generation);
  }

  private static OptionalInt maxTokens(Parameters parameters) {
    OptionalInt old = parameters.smallInteger("max_tokens", 1, Integer.MAX_VALUE);
    OptionalInt current = parameters.smallInteger("max_completion_tokens", 1, Integer.MAX_VALUE);
    if (old.isPresent() && current.isPresent() && old.getAsInt() != current.getAsInt()) {
      throw ApiError.invalid(
          "max_tokens",
          "invalid_parameter_combination",
          "'max_tokens' and 'max_completion_tokens' differ; 'max_tokens' is the old name: leave it"
              + " out.");
    }
    return current.isPresent() ? current : old;
  }

  private static int topLogprobs(Parameters parameters) {
    boolean logprobs = parameters.flag("logprobs");
    OptionalInt top =
        parameters.smallInteger("top_logprobs", 0, GenerationParameters.MAX_TOP_LOGPROBS);
    if (top.isPresent() && !logprobs) {
      throw ApiError.invalid(
          "top_logprobs",
          "invalid_value",
          "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.");
    }
    return logprobs ? top.orElse(0) : -1;
  }

  /// Only text comes out; asking for just that is fine.
  private static void requireText(Parameters parameters) {
    Optional<JsonNode> format = parameters.node("response_format");
    if (format.isPresent()) {
      Parameters members = Parameters.of("response_format", format.get());
      String type = Parameters.text("response_format.type", members.required("type"));
      if (!type.equals("text")) {
        throw Parameters.notSupported(
            "response_format",
            "'response_format' other than {\"type\":\"text\"} is not supported here.");
      }
      members.refuseOthers();
    }
    Optional<JsonNode> modalities = parameters.node("modalities");
    if (modalities.isPresent()) {
      JsonNode list = modalities.get();
      if (!list.isArray() || list.size() != 1 || !"text".equals(list.get(0).textValue())) {
        throw Parameters.notSupported(
            "modalities", "'modalities' other than [\"text\"] is not supported here.");
      }
    }
  }

  private static List<Message> messages(JsonNode array) {
    if (!array.isArray()) {
      throw Parameters.wrongType("messages", "an array of objects", array);
    }
    Parameters.refuseEmpty("messages", array);
    Parameters.boundCount("messages", array, MAX_MESSAGES);
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < array.size(); i++) {
      messages.add(message("messages[%d]".formatted(i), array.get(i)));
    }
    return messages;
  }

  private static Message message(String path, JsonNode node) {
    Parameters members = Parameters.of(path, node);
    Role role = role(members);
    members.unsupported("tool_calls", "tool_call_id", "function_call", "audio", "refusal");
    // What OpenAI itself answers with; people send an answer back as the next message.
    members.harmless("annotations");
    String content = content(members.path("content"), members.required("content"));
    Optional<String> name = members.string("name");
    members.refuseOthers();
    return new Message(role, content, name);
  }

  private static Role role(Parameters members) {
    String path = members.path("role");
    String role = Parameters.text(path, members.required("role"));
    return switch (role) {
      case "system", "developer" -> Role.SYSTEM;
      case "user" -> Role.USER;
      case "assistant" -> Role.ASSISTANT;
      case "tool", "function" ->
          throw Parameters.notSupported(
              path, "The role '%s' is not supported here.".formatted(role));
      default ->
          throw ApiError.invalid(
              path,
              "invalid_value",
              "Invalid value for '%s'. Supported values are: 'system', 'developer', 'user' and 'assistant'."
                  .formatted(path));
    };
  }

  private static String content(String path, JsonNode content) {
    if (content.isTextual()) {
      return content.textValue();
    }
    if (!content.isArray()) {
      throw Parameters.wrongType(path, "a string or an array of objects", content);
    }
    Parameters.refuseEmpty(path, content);
    Parameters.boundCount(path, content, MAX_PARTS);
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < content.size(); i++) {
      texts.add(part("%s[%d]".formatted(path, i), content.get(i)));
    }
    return String.join("\n", texts);
  }

  private static String part(String path, JsonNode node) {
    Parameters members = Parameters.of(path, node);
    String type = Parameters.text(members.path("type"), members.required("type"));
    if (!type.equals("text")) {
      throw Parameters.notSupported(
          members.path("type"), "Only content parts of type 'text' are supported here.");
    }
    String text = Parameters.text(members.path("text"), members.required("text"));
    members.refuseOthers();
    return text;
  }
}
