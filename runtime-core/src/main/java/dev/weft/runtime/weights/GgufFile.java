package dev.weft.runtime.weights;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// A GGUF file (version 3, and 2, which is laid out the same), memory-mapped. See the package for
/// the format and its bounds.
public final class GgufFile implements Weights {
  /// `GGUF`, little-endian.
  private static final int MAGIC = 0x46554747;

  private static final int TENSORS_MAX = 1 << 17;
  private static final int NAME_BYTES_MAX = 1 << 10;
  private static final int DIMENSIONS_MAX = 4;
  private static final long ALIGNMENT_DEFAULT = 32;
  private static final long ALIGNMENT_MAX = 1L << 20;

  /// Bytes of the smallest key-value pair: an empty key, a type, a byte.
  private static final int PAIR_BYTES_MIN = 8 + 4 + 1;

  /// Bytes of the smallest tensor entry: an empty name, one dimension, a type, an offset.
  private static final int ENTRY_BYTES_MIN = 8 + 4 + 8 + 4 + 8;

  private final MappedFile file;
  private final GgufMetadata metadata;
  private final Map<String, Tensor> tensors;
  private final long byteSize;

  private GgufFile(MappedFile file, GgufMetadata metadata, Map<String, Tensor> tensors) {
    this.file = file;
    this.metadata = metadata;
    this.tensors = tensors;
    this.byteSize = tensors.values().stream().mapToLong(t -> t.data().byteSize()).sum();
  }

  /// Maps and checks the file. Throws [ModelFormatException].
  public static GgufFile open(Path path) {
    return MappedFile.parse(path, GgufFile::parse);
  }

  public String fileName() {
    return file.name();
  }

  public GgufMetadata metadata() {
    return metadata;
  }

  @Override
  public List<SourceFile> files() {
    return file.source();
  }

  @Override
  public Optional<Tensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  @Override
  public long byteSize() {
    return byteSize;
  }

  @Override
  public void close() {
    file.close();
  }

  private static GgufFile parse(MappedFile file) {
    ByteCursor cursor = new ByteCursor(file.name(), file.bytes());
    checkMagicAndVersion(cursor);
    long tensorCount = cursor.readCount(TENSORS_MAX, ENTRY_BYTES_MIN, "the number of tensors");
    long pairCount =
        cursor.readCount(GgufMetadata.KEYS_MAX, PAIR_BYTES_MIN, "the number of metadata keys");
    GgufMetadata metadata = GgufMetadata.read(file.name(), cursor, pairCount);
    refuseSplit(file, metadata);
    long alignment = alignment(file, metadata);
    List<Entry> entries = readEntries(cursor, tensorCount, alignment);
    long dataStart = roundUp(cursor.position(), alignment);
    return new GgufFile(file, metadata, tensors(file, entries, dataStart));
  }

  private static void checkMagicAndVersion(ByteCursor cursor) {
    if (cursor.remaining() == 0) {
      throw cursor.failure("the file is empty");
    }
    if (cursor.readInt("the magic number") != MAGIC) {
      throw cursor.failure("this is not a GGUF file (it does not begin with 'GGUF')");
    }
    int version = cursor.readInt("the version");
    if (version == 2 || version == 3) {
      return;
    }
    if (Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3) {
      throw cursor.failure("the file is big-endian; only little-endian GGUF is supported");
    }
    throw cursor.failure(
        "the GGUF version is %s; 2 and 3 are supported"
            .formatted(Integer.toUnsignedString(version)));
  }

  private static void refuseSplit(MappedFile file, GgufMetadata metadata) {
    long parts = metadata.integer("split.count").orElse(1);
    if (parts > 1) {
      throw file.failure(
          "it is one of %d parts of a model; join them first, with llama-gguf-split --merge"
              .formatted(parts));
    }
  }

  private static long alignment(MappedFile file, GgufMetadata metadata) {
    long alignment = metadata.integer("general.alignment").orElse(ALIGNMENT_DEFAULT);
    if (alignment < 1 || alignment > ALIGNMENT_MAX || Long.bitCount(alignment) != 1) {
      throw file.failure(
          "'general.alignment' is %d; it must be a power of two up to %d"
              .formatted(alignment, ALIGNMENT_MAX));
    }
    return alignment;
  }

  /// A tensor as the file claims it; `offset` counts from the start of the data.
  private record Entry(String name, DType type, Shape shape, long offset, long byteSize) {}

  private static List<Entry> readEntries(ByteCursor cursor, long count, long alignment) {
    List<Entry> entries = new ArrayList<>();
    for (long i = 0; i < count; i++) {
      String name = GgufMetadata.readName(cursor, NAME_BYTES_MAX, "the name of tensor " + i);
      String what = "tensor '%s'".formatted(name);
      Shape shape = readShape(cursor, what);
      DType type = GgmlTypes.read(cursor, what);
      long byteSize = byteSize(cursor, what, type, shape);
      long offset = cursor.readLong("the offset of " + what);
      if (offset < 0 || offset % alignment != 0) {
        throw cursor.failure(
            "%s begins at %s, which is not a multiple of the alignment %d"
                .formatted(what, Long.toUnsignedString(offset), alignment));
      }
      entries.add(new Entry(name, type, shape, offset, byteSize));
    }
    return entries;
  }

  /// The file lists the innermost dimension first.
  private static Shape readShape(ByteCursor cursor, String what) {
    int rank = cursor.readInt("the dimensions of " + what);
    if (rank < 1 || rank > DIMENSIONS_MAX) {
      throw cursor.failure(
          "%s has %s dimensions; 1 to %d are allowed"
              .formatted(what, Integer.toUnsignedString(rank), DIMENSIONS_MAX));
    }
    List<Long> dimensions = new ArrayList<>();
    long elements = 1;
    for (int i = 0; i < rank; i++) {
      long dimension = cursor.readLong("the dimensions of " + what);
      if (dimension < 1
          || Math.multiplyHigh(elements, dimension) != 0
          || elements * dimension < 0) {
        throw cursor.failure(
            "%s has a dimension of %s, which is zero or beyond 63 bits in all"
                .formatted(what, Long.toUnsignedString(dimension)));
      }
      elements *= dimension;
      dimensions.addFirst(dimension);
    }
    return new Shape(dimensions);
  }

  private static long byteSize(ByteCursor cursor, String what, DType type, Shape shape) {
    if (shape.rowLength() % type.blockElements() != 0) {
      throw cursor.failure(
          "%s has rows of %d elements, which do not fill %s blocks of %d"
              .formatted(what, shape.rowLength(), type, type.blockElements()));
    }
    try {
      return type.byteSize(shape.elementCount());
    } catch (ArithmeticException e) {
      throw cursor.failure("%s %s %s is larger than 63 bits".formatted(what, type, shape));
    }
  }

  private static Map<String, Tensor> tensors(MappedFile file, List<Entry> entries, long dataStart) {
    List<Entry> inOrder = new ArrayList<>(entries);
    inOrder.sort(Comparator.comparingLong(Entry::offset));
    long dataSize = Math.max(0, file.byteSize() - dataStart);
    long end = 0;
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (Entry entry : inOrder) {
      if (entry.byteSize() > dataSize || entry.offset() > dataSize - entry.byteSize()) {
        throw file.failure(
            "tensor '%s' needs %d bytes from %d on, and the file has %d bytes of data: it is cut short or was changed"
                .formatted(entry.name(), entry.byteSize(), entry.offset(), dataSize));
      }
      if (entry.offset() < end) {
        throw file.failure(
            "tensor '%s' overlaps the one before it (it begins at %d, before %d)"
                .formatted(entry.name(), entry.offset(), end));
      }
      end = entry.offset() + entry.byteSize();
      MemorySegment data = file.bytes().asSlice(dataStart + entry.offset(), entry.byteSize());
      Tensor tensor = new Tensor(entry.name(), entry.type(), entry.shape(), data);
      if (tensors.put(entry.name(), tensor) != null) {
        throw file.failure("tensor '%s' is there twice".formatted(entry.name()));
      }
    }
    return tensors;
  }

  private static long roundUp(long value, long alignment) {
    return (value + alignment - 1) & -alignment;
  }
}
