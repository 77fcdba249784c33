package dev.weft.runtime.weights;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.weft.runtime.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// The header of a safetensors file, checked against the file.
///
/// @param entries in the order of their data
/// @param dataStart where offset 0 of the entries is in the file
record SafetensorsHeader(List<Entry> entries, long dataStart) {
  static final long BYTES_MAX = 100_000_000;
  private static final int ENTRIES_MAX = 1 << 17;
  private static final int DIMENSIONS_MAX = 8;
  private static final String METADATA = "__metadata__";

  /// A tensor's bytes are `begin` to `end`, counted from the start of the data.
  record Entry(String name, SafetensorsType type, Shape shape, long begin, long end) {}

  static SafetensorsHeader read(MappedFile file) {
    ByteCursor cursor = new ByteCursor(file.name(), file.bytes());
    if (cursor.remaining() == 0) {
      throw cursor.failure("the file is empty");
    }
    long length = cursor.readCount(BYTES_MAX, 1, "the length of the header");
    MemorySegment json = cursor.readBytes(length, "the header");
    List<Entry> entries;
    try (JsonParser parser = BoundedJson.parser(json)) {
      entries = new HeaderParser(file, parser).entries();
    } catch (IOException e) {
      throw file.failure("the header is not valid JSON (%s)".formatted(BoundedJson.reason(e)), e);
    }
    entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    checkCoverage(file, entries, cursor.remaining());
    return new SafetensorsHeader(entries, cursor.position());
  }

  /// The format allows neither gaps nor overlaps, nor anything behind the last tensor.
  private static void checkCoverage(MappedFile file, List<Entry> entries, long dataSize) {
    long end = 0;
    for (Entry entry : entries) {
      if (entry.begin() < end) {
        throw file.failure(
            "tensor '%s' overlaps the one before it (it begins at %d, before %d)"
                .formatted(entry.name(), entry.begin(), end));
      }
      if (entry.begin() > end) {
        throw file.failure(
            "there is a gap before tensor '%s' (it begins at %d instead of %d)"
                .formatted(entry.name(), entry.begin(), end));
      }
      end = entry.end();
    }
    if (end != dataSize) {
      throw file.failure(
          "the tensors need %d bytes and the file has %d bytes of data: it is %s"
              .formatted(
                  end,
                  dataSize,
                  end > dataSize ? "cut short or was changed" : "longer than it may be"));
    }
  }

  /// Reads the JSON as a stream: what a header claims is checked before anything is kept.
  private static final class HeaderParser {
    private final MappedFile file;
    private final JsonParser parser;

    HeaderParser(MappedFile file, JsonParser parser) {
      this.file = file;
      this.parser = parser;
    }

    List<Entry> entries() throws IOException {
      List<Entry> entries = new ArrayList<>();
      expect(parser.nextToken(), JsonToken.START_OBJECT, "the header");
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        expect(parser.nextToken(), JsonToken.START_OBJECT, "entry '%s'".formatted(name));
        if (name.equals(METADATA)) {
          parser.skipChildren();
          continue;
        }
        if (entries.size() == ENTRIES_MAX) {
          throw file.failure("the header has more than %d tensors".formatted(ENTRIES_MAX));
        }
        entries.add(entry(name));
      }
      if (parser.nextToken() != null) {
        throw file.failure("the header goes on behind its JSON object");
      }
      return entries;
    }

    private Entry entry(String name) throws IOException {
      String what = "tensor '%s'".formatted(name);
      SafetensorsType type = null;
      List<Long> shape = null;
      List<Long> offsets = null;
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String key = parser.currentName();
        parser.nextToken();
        switch (key) {
          case "dtype" -> type = type(what);
          case "shape" -> shape = numbers(DIMENSIONS_MAX, "the shape of " + what);
          case "data_offsets" -> offsets = numbers(2, "the offsets of " + what);
          default -> throw file.failure("%s has the unknown key '%s'".formatted(what, key));
        }
      }
      return checked(name, what, type, shape, offsets);
    }

    private Entry checked(
        String name,
        String what,
        @Nullable SafetensorsType type,
        @Nullable List<Long> dimensions,
        @Nullable List<Long> offsets) {
      if (type == null || dimensions == null || offsets == null || offsets.size() != 2) {
        throw file.failure("%s must have dtype, shape and two data_offsets".formatted(what));
      }
      long begin = offsets.getFirst();
      long end = offsets.getLast();
      if (end < begin) {
        throw file.failure("%s ends at %d, before it begins at %d".formatted(what, end, begin));
      }
      Shape shape = new Shape(dimensions);
      OptionalLong bytes = byteSize(type, shape);
      if (bytes.isEmpty()) {
        throw file.failure(
            "%s %s %s is not a whole number of bytes below 2^63".formatted(what, type, shape));
      }
      if (bytes.getAsLong() != end - begin) {
        throw file.failure(
            "%s %s %s needs %d bytes and has %d"
                .formatted(what, type, shape, bytes.getAsLong(), end - begin));
      }
      return new Entry(name, type, shape, begin, end);
    }

    private static OptionalLong byteSize(SafetensorsType type, Shape shape) {
      try {
        long bits = Math.multiplyExact(shape.elementCount(), type.bits());
        return bits % 8 == 0 ? OptionalLong.of(bits / 8) : OptionalLong.empty();
      } catch (ArithmeticException e) {
        return OptionalLong.empty();
      }
    }

    private SafetensorsType type(String what) throws IOException {
      expect(parser.currentToken(), JsonToken.VALUE_STRING, "the dtype of " + what);
      String name = parser.getText();
      return SafetensorsType.of(name)
          .orElseThrow(() -> file.failure("%s has the unknown dtype '%s'".formatted(what, name)));
    }

    private List<Long> numbers(int countMax, String what) throws IOException {
      expect(parser.currentToken(), JsonToken.START_ARRAY, what);
      List<Long> numbers = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        expect(parser.currentToken(), JsonToken.VALUE_NUMBER_INT, what);
        if (parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER
            || parser.getLongValue() < 0) {
          throw file.failure("%s hold %s, outside 0 to 2^63".formatted(what, parser.getText()));
        }
        if (numbers.size() == countMax) {
          throw file.failure("%s are more than %d numbers".formatted(what, countMax));
        }
        numbers.add(parser.getLongValue());
      }
      return numbers;
    }

    private void expect(@Nullable JsonToken actual, JsonToken expected, String what) {
      if (actual != expected) {
        throw file.failure(
            "%s must be %s in the header's JSON".formatted(what, BoundedJson.describe(expected)));
      }
    }
  }
}
