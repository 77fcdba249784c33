package dev.weft.runtime.weights;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Writes GGUF files for tests. What is put twice is replaced.
public final class GgufWriter {
  private static final int ALIGNMENT = 32;

  private final Map<String, LittleEndianBytes> pairs = new LinkedHashMap<>();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  public GgufWriter put(String key, String value) {
    pair(key, GgufType.STRING).string(value);
    return this;
  }

  /// An unsigned 32-bit integer.
  public GgufWriter put(String key, int value) {
    pair(key, GgufType.UINT32).i32(value);
    return this;
  }

  public GgufWriter put(String key, float value) {
    pair(key, GgufType.FLOAT32).i32(Float.floatToRawIntBits(value));
    return this;
  }

  public GgufWriter put(String key, boolean value) {
    pair(key, GgufType.BOOL).i8(value ? 1 : 0);
    return this;
  }

  public GgufWriter putStrings(String key, List<String> values) {
    LittleEndianBytes out = array(key, GgufType.STRING, values.size());
    values.forEach(out::string);
    return this;
  }

  public GgufWriter putIntegers(String key, List<Integer> values) {
    LittleEndianBytes out = array(key, GgufType.INT32, values.size());
    values.forEach(out::i32);
    return this;
  }

  public GgufWriter putFloats(String key, List<Float> values) {
    LittleEndianBytes out = array(key, GgufType.FLOAT32, values.size());
    values.forEach(value -> out.i32(Float.floatToRawIntBits(value)));
    return this;
  }

  public GgufWriter tensor(Tensor tensor) {
    tensors.put(tensor.name(), tensor);
    return this;
  }

  /// Takes out a key or a tensor.
  public GgufWriter remove(String name) {
    if (pairs.remove(name) == null && tensors.remove(name) == null) {
      throw new IllegalArgumentException("there is no " + name);
    }
    return this;
  }

  public byte[] bytes() {
    LittleEndianBytes out = new LittleEndianBytes();
    out.raw("GGUF".getBytes(StandardCharsets.US_ASCII)).i32(3);
    out.i64(tensors.size()).i64(pairs.size());
    pairs.forEach((key, value) -> out.string(key).raw(value.bytes()));
    long offset = 0;
    for (Tensor tensor : tensors.values()) {
      out.string(tensor.name()).i32(tensor.shape().rank());
      tensor.shape().dimensions().reversed().forEach(out::i64);
      out.i32(number(tensor.dtype())).i64(offset);
      offset = (offset + tensor.data().byteSize() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    for (Tensor tensor : tensors.values()) {
      out.align(ALIGNMENT).raw(tensor.data().toArray(ValueLayout.JAVA_BYTE));
    }
    return out.align(ALIGNMENT).bytes();
  }

  public Path write(Path file) {
    try {
      return Files.write(file, bytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private LittleEndianBytes pair(String key, GgufType type) {
    LittleEndianBytes value = new LittleEndianBytes();
    pairs.put(key, value);
    return value.i32(type.number());
  }

  private LittleEndianBytes array(String key, GgufType elementType, int count) {
    return pair(key, GgufType.ARRAY).i32(elementType.number()).i64(count);
  }

  private static int number(DType type) {
    return switch (type) {
      case F32 -> 0;
      case F16 -> 1;
      case Q4_0 -> 2;
      case Q4_1 -> 3;
      case Q5_0 -> 6;
      case Q5_1 -> 7;
      case Q8_0 -> 8;
      case Q4_K -> 12;
      case Q5_K -> 13;
      case Q6_K -> 14;
      case BF16 -> 30;
    };
  }

  /// Bytes as GGUF writes them; also for tests that write what is wrong.
  public static final class LittleEndianBytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    public LittleEndianBytes raw(byte[] bytes) {
      out.writeBytes(bytes);
      return this;
    }

    public LittleEndianBytes i8(int value) {
      out.write(value);
      return this;
    }

    public LittleEndianBytes i32(int value) {
      return raw(buffer(4).putInt(value).array());
    }

    public LittleEndianBytes i64(long value) {
      return raw(buffer(8).putLong(value).array());
    }

    public LittleEndianBytes string(String value) {
      byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
      return i64(utf8.length).raw(utf8);
    }

    public LittleEndianBytes align(int alignment) {
      while (out.size() % alignment != 0) {
        out.write(0);
      }
      return this;
    }

    public byte[] bytes() {
      return out.toByteArray();
    }

    private static ByteBuffer buffer(int size) {
      return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
  }
}
