package dev.weft.platform.gateway;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// Reads the `code` of an error in OpenAI's shape.
final class ErrorCode {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int MAX_BYTES = 64 << 10;

  private ErrorCode() {}

  /// The code of an event's frame (`data: {...}`); empty when there is none.
  static String readFrame(Buffer frame) {
    String code = read(frame.getBuffer(frame.toString().indexOf('{'), frame.length()));
    return code == null ? "" : code;
  }

  /// What an error says; empty when that cannot be read.
  static String readMessage(Buffer body) {
    try {
      return JSON.readTree(body.getBytes()).at("/error/message").asText("");
    } catch (IOException e) {
      return "";
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
