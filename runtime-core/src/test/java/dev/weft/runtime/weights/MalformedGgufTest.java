package dev.weft.runtime.weights;

import dev.weft.runtime.weights.GgufWriter.LittleEndianBytes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// GGUF files that are wrong in one way each, among them those that hung or exhausted other
/// readers: each is refused with its reason, at once and with little memory.
class MalformedGgufTest {
  private static final int F32 = 0;
  private static final int UINT32 = 4;
  private static final int BOOL = 7;
  private static final int STRING = 8;
  private static final int ARRAY = 9;

  @TempDir Path directory;

  @ParameterizedTest
  @MethodSource({"headers", "pairs", "entries", "data"})
  void isRefusedWithTheReason(byte[] content, List<String> words) throws IOException {
    Path file = Files.write(directory.resolve("model.gguf"), content);
    Malformed.assertRefused(
        directory,
        () -> GgufFile.open(file).close(),
        Stream.concat(Stream.of("model.gguf: "), words.stream()).toArray(String[]::new));
  }

  static List<Arguments> headers() {
    return List.of(
        a("empty file", new byte[0], "at byte 0", "the file is empty"),
        a("zip file", "PK\u0003\u0004----".getBytes(StandardCharsets.US_ASCII), "not a GGUF file"),
        a("magic only", magic().bytes(), "at byte 4", "ends in the version"),
        a("version 1", magic().i32(1).i64(0).i64(0).bytes(), "version is 1; 2 and 3"),
        a("version 4 billion", magic().i32(-1).i64(0).i64(0).bytes(), "version is 4294967295"),
        a("big-endian", magic().i32(3 << 24).i64(0).i64(0).bytes(), "big-endian"),
        a("counts cut off", magic().i32(3).i32(0).bytes(), "the number of tensors"),
        a("more tensors than signed 64 bits", file(-1, 0, _ -> {}), "18446744073709551615"),
        a("more tensors than allowed", file(1L << 40, 0, _ -> {}), "tensors is 1099511627776"),
        a("more tensors than bytes", file(1000, 0, _ -> {}), "remaining", "cannot hold"),
        // ggml-org/llama.cpp issue 27188: 43 bytes that kept a reader busy for hours.
        a("more pairs than allowed", file(0, Long.MAX_VALUE, _ -> {}), "metadata keys", "limit"),
        a("more pairs than bytes", file(0, 60_000, _ -> {}), "metadata keys is 60000"));
  }

  static List<Arguments> pairs() {
    return List.of(
        a("key of 2^62 bytes", pair(out -> out.i64(1L << 62)), "metadata key 0", "limit is 1024"),
        a("key beyond the file", pair(out -> out.i64(1000)), "metadata key 0", "cannot hold"),
        a(
            "key that is not UTF-8",
            pair(out -> out.i64(2).raw(new byte[] {(byte) 0xC3, 0x28}).i32(BOOL).i8(0)),
            "metadata key 0 is not UTF-8"),
        a("unknown type", pair(out -> out.string("k").i32(99)), "type of 'k' is 99"),
        // ggml-org/ggml issue 1516: a string of 1 GiB in a file of 160 bytes.
        a(
            "string of 1 GiB",
            pair(out -> out.string("k").i32(STRING).i64(1L << 30)),
            "length of 'k' is 1073741824; the limit is 67108864"),
        a(
            "string beyond the file",
            pair(out -> out.string("k").i32(STRING).i64(4096)),
            "length of 'k'",
            "cannot hold"),
        a("boolean of 7", pair(out -> out.string("k").i32(BOOL).i8(7)), "boolean of value 7"),
        a(
            "array of unknown type",
            pair(out -> out.string("k").i32(ARRAY).i32(77).i64(1)),
            "elements of 'k' is 77"),
        a(
            "array of 2^40 integers",
            pair(out -> out.string("k").i32(ARRAY).i32(UINT32).i64(1L << 40)),
            "array length of 'k' is 1099511627776",
            "limit"),
        a(
            "array beyond the file",
            pair(out -> out.string("k").i32(ARRAY).i32(UINT32).i64(1000)),
            "array length of 'k' is 1000",
            "cannot hold"),
        a("arrays nested too deep", pair(MalformedGgufTest::nested), "nests arrays deeper than 4"),
        a(
            "key twice",
            file(0, 2, out -> out.string("k").i32(UINT32).i32(1).string("k").i32(UINT32).i32(2)),
            "key 'k' is there twice"),
        a("alignment 0", alignment(0), "'general.alignment' is 0", "power of two"),
        a("alignment 48", alignment(48), "'general.alignment' is 48", "power of two"),
        // GHSA-96jg-mvhq-q7q7: an alignment that makes rounding up overflow.
        a("alignment 2^31", alignment(1 << 31), "'general.alignment' is 2147483648"),
        a(
            "alignment of the wrong type",
            pair(out -> out.string("general.alignment").i32(STRING).string("32")),
            "'general.alignment' is a string and must be an integer"),
        a(
            "part of a split model",
            pair(out -> out.string("split.count").i32(UINT32).i32(3)),
            "one of 3 parts",
            "--merge"));
  }

  static List<Arguments> entries() {
    return List.of(
        a("no dimensions", entry(out -> out.string("t").i32(0)), "'t' has 0 dimensions; 1 to 4"),
        a("5 dimensions", entry(out -> out.string("t").i32(5)), "'t' has 5 dimensions"),
        a("dimension of 0", entry(out -> out.string("t").i32(1).i64(0)), "dimension of 0"),
        a("negative dimension", entry(out -> out.string("t").i32(1).i64(-1)), "1844674407370955"),
        // ggml-org/llama.cpp issue 18674: a product that wraps around to something small.
        a(
            "product beyond 64 bits",
            entry(out -> out.string("t").i32(2).i64((1L << 42) + 1).i64(1L << 22)),
            "dimension of 4194304",
            "63 bits"),
        a(
            "bytes beyond 64 bits",
            entry(out -> out.string("t").i32(1).i64(1L << 62).i32(F32).i64(0)),
            "larger than 63 bits"),
        a(
            "unknown type",
            entry(out -> out.string("t").i32(1).i64(32).i32(12345).i64(0)),
            "type of tensor 't' is unknown (12345)"),
        a(
            "type that is not read",
            entry(out -> out.string("t").i32(1).i64(256).i32(10).i64(0)),
            "type of tensor 't' is Q2_K; supported are [F32, F16"),
        a(
            "rows that do not fill blocks",
            entry(out -> out.string("t").i32(2).i64(33).i64(32).i32(8).i64(0)),
            "rows of 33 elements",
            "Q8_0 blocks of 32"),
        a(
            "offset off the alignment",
            entry(out -> out.string("t").i32(1).i64(1).i32(F32).i64(8)),
            "begins at 8",
            "alignment 32"),
        a(
            "negative offset",
            entry(out -> out.string("t").i32(1).i64(1).i32(F32).i64(-32)),
            "begins at 18446744073709551584"),
        a("name of 64 KiB", entry(out -> out.i64(1 << 16)), "name of tensor 0", "limit is 1024"));
  }

  static List<Arguments> data() {
    return List.of(
        a("no data", floats(1, out -> float32(out, "t", 8, 0)), "'t' needs 32 bytes", "cut short"),
        a(
            "data cut short",
            floats(1, out -> float32(out, "t", 8, 0).align(32).raw(new byte[31])),
            "'t' needs 32 bytes from 0 on, and the file has 31 bytes"),
        a(
            "offset beyond the file",
            floats(1, out -> float32(out, "t", 8, 1L << 62).align(32).raw(new byte[32])),
            "from 4611686018427387904 on"),
        a(
            "overlap",
            floats(
                2,
                out -> float32(float32(out, "t", 16, 0), "u", 8, 32).align(32).raw(new byte[64])),
            "'u' overlaps the one before it"),
        a(
            "tensor twice",
            floats(
                2, out -> float32(float32(out, "t", 8, 0), "t", 8, 32).align(32).raw(new byte[64])),
            "'t' is there twice"));
  }

  /// @param words what the message must say
  private static Arguments a(String name, byte[] file, String... words) {
    return Arguments.of(Named.of(name, file), List.of(words));
  }

  private static LittleEndianBytes magic() {
    return new LittleEndianBytes().raw("GGUF".getBytes(StandardCharsets.US_ASCII));
  }

  private static byte[] file(long tensors, long pairs, Consumer<LittleEndianBytes> content) {
    LittleEndianBytes out = magic().i32(3).i64(tensors).i64(pairs);
    content.accept(out);
    return out.bytes();
  }

  /// A file of one pair, with some bytes behind it.
  private static byte[] pair(Consumer<LittleEndianBytes> content) {
    return file(0, 1, content.andThen(out -> out.raw(new byte[64])));
  }

  /// A file of one tensor, with some bytes behind its entry.
  private static byte[] entry(Consumer<LittleEndianBytes> content) {
    return file(1, 0, content.andThen(out -> out.raw(new byte[64])));
  }

  private static byte[] floats(int tensors, Consumer<LittleEndianBytes> content) {
    return file(tensors, 0, content);
  }

  private static LittleEndianBytes float32(
      LittleEndianBytes out, String name, int elements, long offset) {
    return out.string(name).i32(1).i64(elements).i32(F32).i64(offset);
  }

  private static byte[] alignment(int value) {
    return pair(out -> out.string("general.alignment").i32(UINT32).i32(value));
  }

  private static void nested(LittleEndianBytes out) {
    out.string("k").i32(ARRAY);
    for (int depth = 0; depth < 1000; depth++) {
      out.i32(ARRAY).i64(1);
    }
  }
}
