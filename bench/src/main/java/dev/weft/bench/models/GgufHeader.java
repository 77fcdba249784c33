package dev.weft.bench.models;

import dev.weft.bench.models.ModelShape.TensorShape;
import dev.weft.runtime.tensor.DType;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// The part of a GGUF file before its data.
final class GgufHeader {
  /// GGUF's numbers of value types.
  private static final int UINT32 = 4;

  private static final int INT32 = 5;
  private static final int FLOAT32 = 6;
  private static final int BOOL = 7;
  private static final int STRING = 8;
  private static final int ARRAY = 9;

  private final Bytes pairs = new Bytes();
  private final Bytes tensors = new Bytes();
  private long pairCount;
  private long tensorCount;

  /// Little-endian bytes that grow.
  private static final class Bytes extends ByteArrayOutputStream {
    Bytes i32(int value) {
      writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
      return this;
    }

    Bytes i64(long value) {
      writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
      return this;
    }

    Bytes string(String value) {
      byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
      i64(utf8.length).writeBytes(utf8);
      return this;
    }
  }

  private Bytes pair(String key, int type) {
    pairCount++;
    return pairs.string(key).i32(type);
  }

  void put(String key, String value) {
    pair(key, STRING).string(value);
  }

  void put(String key, int value) {
    pair(key, UINT32).i32(value);
  }

  void put(String key, float value) {
    pair(key, FLOAT32).i32(Float.floatToRawIntBits(value));
  }

  void put(String key, boolean value) {
    pair(key, BOOL).write(value ? 1 : 0);
  }

  void putStrings(String key, List<String> values) {
    Bytes out = pair(key, ARRAY).i32(STRING).i64(values.size());
    values.forEach(out::string);
  }

  void putIntegers(String key, List<Integer> values) {
    Bytes out = pair(key, ARRAY).i32(INT32).i64(values.size());
    values.forEach(out::i32);
  }

  /// @param offset from the start of the data
  void tensor(TensorShape tensor, DType type, long offset) {
    tensorCount++;
    tensors.string(tensor.name());
    if (tensor.rows() == 1) {
      tensors.i32(1).i64(tensor.columns());
    } else {
      tensors.i32(2).i64(tensor.columns()).i64(tensor.rows());
    }
    tensors.i32(number(type)).i64(offset);
  }

  byte[] bytes() {
    Bytes out = new Bytes();
    out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    out.i32(3).i64(tensorCount).i64(pairCount);
    out.writeBytes(pairs.toByteArray());
    out.writeBytes(tensors.toByteArray());
    return out.toByteArray();
  }

  private static int number(DType type) {
    return switch (type) {
      case F32 -> 0;
      case F16 -> 1;
      case Q4_0 -> 2;
      case Q5_0 -> 6;
      case Q8_0 -> 8;
      case Q4_K -> 12;
      case Q6_K -> 14;
      case BF16 -> 30;
      default -> throw new IllegalArgumentException("not written here: " + type);
    };
  }
}
