package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/// What every object of one answer begins with.
///
/// @param created seconds since 1970
/// @param model the function's name
/// @param fingerprint differs whenever the same request might be answered differently
/// @param usageInChunks whether the chunks of a stream have a `usage` key (null but in the last),
///   as they do once a client asks for usage
public record ReplyHead(
    String id, long created, String model, String fingerprint, boolean usageInChunks) {

  /// A new object of type `object` (`chat.completion`).
  ObjectNode begin(String object) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("id", id);
    json.put("object", object);
    json.put("created", created);
    json.put("model", model);
    json.put("system_fingerprint", fingerprint);
    return json;
  }

  /// A chunk of a stream with one choice.
  ObjectNode chunk(String object, ObjectNode choice) {
    ObjectNode json = begin(object);
    json.putArray("choices").add(choice);
    if (usageInChunks) {
      json.putNull("usage");
    }
    return json;
  }

  /// The last chunk of a stream: no choice, the usage of all.
  ObjectNode usageChunk(String object, TokenUsage usage) {
    ObjectNode json = begin(object);
    json.putArray("choices");
    json.set("usage", usage.toJson());
    return json;
  }
}
