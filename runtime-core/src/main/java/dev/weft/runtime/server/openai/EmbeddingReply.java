package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;

/// The answer of `POST /v1/embeddings`.
public final class EmbeddingReply {
  private EmbeddingReply() {}

  public static ObjectNode whole(
      String model, List<float[]> vectors, EmbeddingRequest.Encoding encoding, int promptTokens) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("object", "list");
    ArrayNode data = json.putArray("data");
    for (int i = 0; i < vectors.size(); i++) {
      ObjectNode element = data.addObject();
      element.put("object", "embedding");
      element.put("index", i);
      write(element, vectors.get(i), encoding);
    }
    json.put("model", model);
    ObjectNode usage = json.putObject("usage");
    usage.put("prompt_tokens", promptTokens);
    usage.put("total_tokens", promptTokens);
    return json;
  }

  private static void write(
      ObjectNode element, float[] vector, EmbeddingRequest.Encoding encoding) {
    switch (encoding) {
      case FLOAT -> {
        ArrayNode numbers = element.putArray("embedding");
        for (float value : vector) {
          numbers.add(value);
        }
      }
      case BASE64 -> {
        ByteBuffer bytes =
            ByteBuffer.allocate(vector.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        element.put("embedding", Base64.getEncoder().encodeToString(bytes.array()));
      }
    }
  }
}
