package dev.weft.runtime.weights;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Writes safetensors files for tests.
public final class SafetensorsWriter {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final ObjectNode header = MAPPER.createObjectNode();
  private final GgufWriter.LittleEndianBytes data = new GgufWriter.LittleEndianBytes();
  private long offset;

  /// @param dtype as in the format: `F32`, `I64`
  public SafetensorsWriter tensor(String name, String dtype, Shape shape, byte[] bytes) {
    ObjectNode entry = header.putObject(name).put("dtype", dtype);
    ArrayNode dimensions = entry.putArray("shape");
    shape.dimensions().forEach(dimensions::add);
    entry.putArray("data_offsets").add(offset).add(offset + bytes.length);
    offset += bytes.length;
    data.raw(bytes);
    return this;
  }

  public byte[] bytes() {
    return bytes(header.toString(), data.bytes());
  }

  /// A file of any header text, right or wrong.
  public static byte[] bytes(String header, byte[] data) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return new GgufWriter.LittleEndianBytes().i64(json.length).raw(json).raw(data).bytes();
  }

  public Path write(Path file) {
    try {
      return Files.write(file, bytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
