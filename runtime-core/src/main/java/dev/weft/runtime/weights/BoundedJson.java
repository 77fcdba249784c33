package dev.weft.runtime.weights;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/// JSON of model files, with bounds on depth, string and number lengths and size. Duplicate keys
/// are refused.
public final class BoundedJson {
  private static final int DEPTH_MAX = 64;
  private static final int STRING_MAX = 4 << 20;
  private static final int NAME_MAX = 1 << 10;
  private static final int NUMBER_MAX = 64;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(DEPTH_MAX)
                  .maxStringLength(STRING_MAX)
                  .maxNameLength(NAME_MAX)
                  .maxNumberLength(NUMBER_MAX)
                  .build())
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .build();

  private static final ObjectMapper MAPPER = new ObjectMapper(FACTORY);

  private BoundedJson() {}

  /// The object in the file, which has at most `bytesMax` bytes. Throws [ModelFormatException].
  public static JsonNode readObject(Path path, long bytesMax) {
    JsonNode node = read(path, bytesMax);
    if (!node.isObject()) {
      throw new ModelFormatException(
          "%s: the file is not a JSON object".formatted(path.getFileName()));
    }
    return node;
  }

  /// The JSON in the file, which has at most `bytesMax` bytes. Throws [ModelFormatException].
  public static JsonNode read(Path path, long bytesMax) {
    MappedFile file = MappedFile.open(path);
    try (file) {
      if (file.byteSize() > bytesMax) {
        throw file.failure(
            "the file has %d bytes; the limit is %d".formatted(file.byteSize(), bytesMax));
      }
      return MAPPER.readTree(new SegmentStream(file.bytes()));
    } catch (IOException e) {
      throw file.failure("the file is not valid JSON (%s)".formatted(reason(e)), e);
    }
  }

  static JsonParser parser(MemorySegment json) throws IOException {
    return FACTORY.createParser(new SegmentStream(json));
  }

  /// What is wrong and where, without the excerpt and the source that Jackson adds.
  static String reason(IOException e) {
    if (e instanceof JsonProcessingException json) {
      String where =
          json.getLocation() == null ? "" : " at byte " + json.getLocation().getByteOffset();
      return json.getOriginalMessage() + where;
    }
    return e.getClass().getSimpleName();
  }

  static String describe(JsonToken token) {
    return switch (token) {
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING -> "a string";
      case VALUE_NUMBER_INT -> "an integer";
      default -> token.name();
    };
  }

  /// A mapped file's bytes as a stream.
  private static final class SegmentStream extends InputStream {
    private final MemorySegment bytes;
    private long position;

    SegmentStream(MemorySegment bytes) {
      this.bytes = bytes;
    }

    @Override
    public int read() {
      return position == bytes.byteSize()
          ? -1
          : bytes.get(ValueLayout.JAVA_BYTE, position++) & 0xFF;
    }

    @Override
    public int read(byte[] target, int offset, int length) {
      long left = bytes.byteSize() - position;
      if (left == 0 && length > 0) {
        return -1;
      }
      int count = (int) Math.min(length, left);
      MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, position, target, offset, count);
      position += count;
      return count;
    }
  }
}
