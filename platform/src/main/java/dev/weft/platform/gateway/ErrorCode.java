package dev.weft.platform.gateway;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.instance.Why;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Reads errors in OpenAI's shape.
final class ErrorCode {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int MAX_BYTES = 64 << 10;

  private ErrorCode() {}

  /// The code of an event's frame (`data: {...}`); empty when there is none.
  static String readFrame(Buffer frame) {
    String code = read(frame.getBuffer(frame.toString().indexOf('{'), frame.length()));
    return code == null ? "" : code;
  }

  /// Why a runtime refused, with the figures beside the error; the code alone when the rest cannot
  /// be read.
  static Why readWhy(String code, Buffer body) {
    try {
      JsonNode read = JSON.readTree(body.getBytes());
      Map<String, Double> values = new HashMap<>();
      for (Map.Entry<String, JsonNode> value : read.path("values").properties()) {
        values.put(value.getKey(), value.getValue().asDouble());
      }
      return new Why(code, code + ": " + read.at("/error/message").asText(""), values);
    } catch (IOException e) {
      return new Why(code, code);
    }
  }

  /// The code, or `null` when there is none.
  static @Nullable String read(Buffer body) {
    if (body.length() > MAX_BYTES) {
      return null;
    }
    try {
      JsonNode code = JSON.readTree(body.getBytes()).path("error").path("code");
      return code.isTextual() ? code.textValue() : null;
    } catch (IOException e) {
      return null;
    }
  }
}
