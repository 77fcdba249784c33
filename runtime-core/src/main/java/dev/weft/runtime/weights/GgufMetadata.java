package dev.weft.runtime.weights;

import java.lang.foreign.MemorySegment;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The key-value pairs of a GGUF file, by type. A key that is there with another type is a
/// [ModelFormatException]; a key that is not there is empty. Values are decoded when asked for, so
/// the file must still be open.
public final class GgufMetadata {
  static final int KEYS_MAX = 1 << 16;
  static final int KEY_BYTES_MAX = 1 << 10;
  static final long VALUE_BYTES_MAX = 64L << 20;
  static final int NESTING_MAX = 4;

  private final String file;
  private final Map<String, GgufValue> values;

  private GgufMetadata(String file, Map<String, GgufValue> values) {
    this.file = file;
    this.values = values;
  }

  /// Reads `count` pairs.
  static GgufMetadata read(String file, ByteCursor cursor, long count) {
    Map<String, GgufValue> values = new LinkedHashMap<>();
    for (long i = 0; i < count; i++) {
      String key = readName(cursor, KEY_BYTES_MAX, "metadata key " + i);
      String what = "'%s'".formatted(key);
      GgufValue value = readValue(cursor, GgufType.read(cursor, what), what);
      if (values.put(key, value) != null) {
        throw cursor.failure("the metadata key '%s' is there twice".formatted(key));
      }
    }
    return new GgufMetadata(file, values);
  }

  /// A string of at most `bytesMax` bytes, decoded at once.
  static String readName(ByteCursor cursor, long bytesMax, String what) {
    MemorySegment utf8 = readText(cursor, bytesMax, what);
    try {
      return decode(utf8);
    } catch (CharacterCodingException e) {
      throw cursor.failure("%s is not UTF-8".formatted(what));
    }
  }

  public Set<String> keys() {
    return Set.copyOf(values.keySet());
  }

  public Optional<String> string(String key) {
    return find(
        key,
        "a string",
        value -> value instanceof GgufValue.Text(var utf8) ? text(key, utf8) : null);
  }

  public OptionalLong integer(String key) {
    Optional<Long> value =
        find(key, "an integer", v -> v instanceof GgufValue.Whole(long whole) ? whole : null);
    return value.map(OptionalLong::of).orElse(OptionalLong.empty());
  }

  /// A floating-point number; integers count too.
  public OptionalDouble number(String key) {
    Optional<Double> value =
        find(
            key,
            "a number",
            v ->
                switch (v) {
                  case GgufValue.Real(double real) -> real;
                  case GgufValue.Whole(long whole) -> (double) whole;
                  case GgufValue.Bool _, GgufValue.Text _, GgufValue.Array _ -> null;
                });
    return value.map(OptionalDouble::of).orElse(OptionalDouble.empty());
  }

  public Optional<Boolean> bool(String key) {
    return find(key, "a boolean", v -> v instanceof GgufValue.Bool(boolean bool) ? bool : null);
  }

  public Optional<List<String>> strings(String key) {
    return find(
        key,
        "an array of strings",
        value ->
            value instanceof GgufValue.Array array && array.elementType() == GgufType.STRING
                ? decodeStrings(key, array)
                : null);
  }

  public Optional<List<Integer>> integers(String key) {
    return find(
        key,
        "an array of 32-bit integers",
        value ->
            value instanceof GgufValue.Array array
                    && (array.elementType() == GgufType.INT32
                        || array.elementType() == GgufType.UINT32)
                ? decodeIntegers(key, array)
                : null);
  }

  public Optional<List<Float>> floats(String key) {
    return find(
        key,
        "an array of 32-bit floats",
        value ->
            value instanceof GgufValue.Array array && array.elementType() == GgufType.FLOAT32
                ? decodeFloats(key, array)
                : null);
  }

  private <T> Optional<T> find(
      String key, String expected, Function<GgufValue, @Nullable T> reader) {
    GgufValue value = values.get(key);
    if (value == null) {
      return Optional.empty();
    }
    T result = reader.apply(value);
    if (result == null) {
      throw failure("'%s' is %s and must be %s".formatted(key, value.description(), expected));
    }
    return Optional.of(result);
  }

  private List<String> decodeStrings(String key, GgufValue.Array array) {
    ByteCursor cursor = new ByteCursor(file, array.elements());
    List<String> result = new ArrayList<>(array.count());
    for (int i = 0; i < array.count(); i++) {
      result.add(text(key, readText(cursor, VALUE_BYTES_MAX, key)));
    }
    return result;
  }

  private List<Integer> decodeIntegers(String key, GgufValue.Array array) {
    ByteCursor cursor = new ByteCursor(file, array.elements());
    List<Integer> result = new ArrayList<>(array.count());
    for (int i = 0; i < array.count(); i++) {
      int value = cursor.readInt(key);
      if (value < 0 && array.elementType() == GgufType.UINT32) {
        throw failure(
            "'%s' holds %s, which does not fit 31 bits"
                .formatted(key, Integer.toUnsignedString(value)));
      }
      result.add(value);
    }
    return result;
  }

  private List<Float> decodeFloats(String key, GgufValue.Array array) {
    ByteCursor cursor = new ByteCursor(file, array.elements());
    List<Float> result = new ArrayList<>(array.count());
    for (int i = 0; i < array.count(); i++) {
      result.add(Float.intBitsToFloat(cursor.readInt(key)));
    }
    return result;
  }

  private String text(String key, MemorySegment utf8) {
    try {
      return decode(utf8);
    } catch (CharacterCodingException e) {
      throw failure("'%s' is not UTF-8".formatted(key));
    }
  }

  private ModelFormatException failure(String reason) {
    return new ModelFormatException("%s: the metadata %s".formatted(file, reason));
  }

  private static GgufValue readValue(ByteCursor cursor, GgufType type, String what) {
    return switch (type) {
      case UINT8 -> new GgufValue.Whole(cursor.readByte(what) & 0xFF);
      case INT8 -> new GgufValue.Whole(cursor.readByte(what));
      case UINT16 -> new GgufValue.Whole(cursor.readShort(what) & 0xFFFF);
      case INT16 -> new GgufValue.Whole(cursor.readShort(what));
      case UINT32 -> new GgufValue.Whole(Integer.toUnsignedLong(cursor.readInt(what)));
      case INT32 -> new GgufValue.Whole(cursor.readInt(what));
      case UINT64 -> new GgufValue.Whole(readUnsignedLong(cursor, what));
      case INT64 -> new GgufValue.Whole(cursor.readLong(what));
      case FLOAT32 -> new GgufValue.Real(Float.intBitsToFloat(cursor.readInt(what)));
      case FLOAT64 -> new GgufValue.Real(Double.longBitsToDouble(cursor.readLong(what)));
      case BOOL -> new GgufValue.Bool(readBool(cursor, what));
      case STRING -> new GgufValue.Text(readText(cursor, VALUE_BYTES_MAX, what));
      case ARRAY -> readArray(cursor, 1, what);
    };
  }

  private static long readUnsignedLong(ByteCursor cursor, String what) {
    long value = cursor.readLong(what);
    if (value < 0) {
      throw cursor.failure(
          "%s is %s, which does not fit 63 bits".formatted(what, Long.toUnsignedString(value)));
    }
    return value;
  }

  private static boolean readBool(ByteCursor cursor, String what) {
    int value = cursor.readByte(what);
    if (value != 0 && value != 1) {
      throw cursor.failure("%s is a boolean of value %d".formatted(what, value & 0xFF));
    }
    return value == 1;
  }

  private static MemorySegment readText(ByteCursor cursor, long bytesMax, String what) {
    long length = cursor.readCount(bytesMax, 1, "the length of " + what);
    return cursor.readBytes(length, what);
  }

  /// Walks an array to its end, so that what it holds is known to be inside the file.
  private static GgufValue.Array readArray(ByteCursor cursor, int depth, String what) {
    if (depth > NESTING_MAX) {
      throw cursor.failure("%s nests arrays deeper than %d".formatted(what, NESTING_MAX));
    }
    GgufType type = GgufType.read(cursor, "the elements of " + what);
    long countMax = VALUE_BYTES_MAX / type.minimumBytes();
    long count = cursor.readCount(countMax, type.minimumBytes(), "the array length of " + what);
    long start = cursor.position();
    if (type.fixedSize()) {
      cursor.readBytes(count * type.minimumBytes(), what);
    } else {
      for (long i = 0; i < count; i++) {
        if (type == GgufType.STRING) {
          readText(cursor, VALUE_BYTES_MAX, what);
        } else {
          readArray(cursor, depth + 1, what);
        }
        if (cursor.position() - start > VALUE_BYTES_MAX) {
          throw cursor.failure(
              "%s is an array of more than %d bytes".formatted(what, VALUE_BYTES_MAX));
        }
      }
    }
    return new GgufValue.Array(type, (int) count, cursor.since(start));
  }

  private static String decode(MemorySegment utf8) throws CharacterCodingException {
    return StandardCharsets.UTF_8.newDecoder().decode(utf8.asByteBuffer()).toString();
  }
}
