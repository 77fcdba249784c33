package dev.weft.bench.load;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.util.Map;

/// A port of this machine that answers, and the headers that requests need there.
public record Endpoint(int port, Map<String, String> headers) {
  public Endpoint {
    headers = Map.copyOf(headers);
  }

  /// A whole chat request, as it goes over the wire.
  public byte[] request(String body) {
    return request("/v1/chat/completions", body);
  }

  /// A whole request.
  public byte[] request(String path, String body) {
    byte[] content = body.getBytes(UTF_8);
    StringBuilder head = new StringBuilder("POST " + path + " HTTP/1.1\r\n");
    head.append("Host: 127.0.0.1:").append(port).append("\r\n");
    head.append("Content-Type: application/json\r\n");
    head.append("Content-Length: ").append(content.length).append("\r\n");
    headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
    ByteArrayOutputStream request = new ByteArrayOutputStream();
    request.writeBytes(head.append("\r\n").toString().getBytes(UTF_8));
    request.writeBytes(content);
    return request.toByteArray();
  }
}
