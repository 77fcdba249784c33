package dev.weft.runtime.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Safetensors files and indexes that are wrong in one way each.
class MalformedSafetensorsTest {
  @TempDir Path directory;

  @ParameterizedTest
  @MethodSource({"headers", "entries"})
  void isRefusedWithTheReason(byte[] content, List<String> words) throws IOException {
    Path file = Files.write(directory.resolve("model.safetensors"), content);
    Malformed.assertRefused(
        directory,
        () -> SafetensorsFile.open(file).close(),
        Stream.concat(Stream.of("model.safetensors: "), words.stream()).toArray(String[]::new));
  }

  static List<Arguments> headers() {
    return List.of(
        a("empty file", new byte[0], "the file is empty"),
        a("half a length", new byte[4], "ends in the length of the header"),
        a("header of 2^63 bytes", length(Long.MIN_VALUE), "9223372036854775808", "100000000"),
        a("header of 1 TB", length(1L << 40), "is 1099511627776; the limit is 100000000"),
        a("header beyond the file", length(1000), "length of the header is 1000", "cannot hold"),
        a("no JSON", file("pickle", 0), "not valid JSON"),
        a("JSON cut off", file("{\"t\":", 0), "not valid JSON"),
        a("an array", file("[]", 0), "the header must be an object"),
        a("two objects", file("{}{}", 0), "goes on behind"),
        a("nothing and data", file("{}", 8), "need 0 bytes", "8 bytes of data", "longer"),
        a("not an object", file("{\"t\": 1}", 0), "entry 't' must be an object"),
        a(
            "name twice",
            file("{%s,%s}".formatted(tensor("t", 0, 4), tensor("t", 4, 8)), 8),
            "Duplicate field 't'"),
        a("nested too deep", file("[".repeat(100_000), 0), "the header must be an object"),
        a(
            "metadata nested too deep",
            file("{\"__metadata__\":" + "{\"a\":".repeat(1000), 0),
            "nesting depth"));
  }

  static List<Arguments> entries() {
    return List.of(
        a(
            "no dtype",
            file("{\"t\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4),
            "'t' must have dtype, shape and two data_offsets"),
        a(
            "one offset",
            file("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4]}}", 4),
            "'t' must have dtype, shape and two data_offsets"),
        a("unknown dtype", file("{%s}".formatted(tensor("t", "F12", "1", 0, 4)), 4), "dtype 'F12'"),
        a("unknown key", file("{\"t\":{\"x\":1}}", 0), "'t' has the unknown key 'x'"),
        a(
            "shape of 2^64",
            file("{%s}".formatted(tensor("t", "F32", "18446744073709551616", 0, 4)), 4),
            "shape of tensor 't' hold 18446744073709551616"),
        a(
            "negative dimension",
            file("{%s}".formatted(tensor("t", "F32", "-1", 0, 4)), 4),
            "shape of tensor 't' hold -1"),
        a(
            "fractional dimension",
            file("{%s}".formatted(tensor("t", "F32", "1.5", 0, 4)), 4),
            "shape of tensor 't' must be an integer"),
        a(
            "product beyond 64 bits",
            file("{%s}".formatted(tensor("t", "F32", "4398046511105,4194304", 0, 4)), 4),
            "not a whole number of bytes below 2^63"),
        a(
            "9 dimensions",
            file("{%s}".formatted(tensor("t", "F32", "1,1,1,1,1,1,1,1,1", 0, 4)), 4),
            "more than 8 numbers"),
        a(
            "size that is not the shape's",
            file("{%s}".formatted(tensor("t", "F32", "3", 0, 8)), 8),
            "'t' F32 [3] needs 12 bytes and has 8"),
        a(
            "end before begin",
            file("{%s}".formatted(tensor("t", "F32", "1", 4, 0)), 4),
            "ends at 0"),
        a(
            "cut short",
            file("{%s}".formatted(tensor("t", "F32", "2", 0, 8)), 7),
            "need 8 bytes and the file has 7",
            "cut short"),
        a(
            "overlap",
            file("{%s,%s}".formatted(tensor("t", 0, 4), tensor("u", 2, 6)), 6),
            "'u' overlaps"),
        a(
            "gap",
            file("{%s,%s}".formatted(tensor("t", 0, 4), tensor("u", 8, 12)), 12),
            "gap before tensor 'u'"));
  }

  @Test
  void anIndexMayNotLeaveItsDirectory() throws IOException {
    for (String name : List.of("../secret.safetensors", "/etc/a.safetensors", "model.bin", "")) {
      Path index = index("{\"weight_map\": {\"t\": \"%s\"}}".formatted(name));
      Malformed.assertRefused(
          directory,
          () -> ShardedSafetensors.open(index).close(),
          "index.json: tensor 't'",
          "not the plain name");
    }
  }

  @Test
  void anIndexWithoutAMapIsRefused() throws IOException {
    Path index = index("{\"metadata\": {}}");
    Malformed.assertRefused(
        directory, () -> ShardedSafetensors.open(index).close(), "no 'weight_map'");
  }

  @Test
  void aMissingShardIsNamed() throws IOException {
    Path index = index("{\"weight_map\": {\"t\": \"b.safetensors\"}}");
    Malformed.assertRefused(
        directory,
        () -> ShardedSafetensors.open(index).close(),
        "b.safetensors: the file does not exist");
  }

  @Test
  void aTensorThatIsNotInItsShardIsNamed() throws IOException {
    Files.write(directory.resolve("a.safetensors"), file("{%s}".formatted(tensor("t", 0, 4)), 4));
    Path index = index("{\"weight_map\": {\"t\": \"a.safetensors\", \"u\": \"a.safetensors\"}}");
    Malformed.assertRefused(
        directory,
        () -> ShardedSafetensors.open(index).close(),
        "tensor 'u' is said to be in 'a.safetensors', and is not");
  }

  @Test
  void aTensorInTwoShardsIsRefused() throws IOException {
    for (String shard : List.of("a", "b")) {
      Files.write(
          directory.resolve(shard + ".safetensors"),
          file("{%s,%s}".formatted(tensor("t", 0, 4), tensor(shard, 4, 8)), 8));
    }
    Path index = index("{\"weight_map\": {\"a\": \"a.safetensors\", \"b\": \"b.safetensors\"}}");
    Malformed.assertRefused(
        directory,
        () -> ShardedSafetensors.open(index).close(),
        "b.safetensors: tensor 't' is also in a.safetensors");
  }

  private Path index(String json) throws IOException {
    return Files.writeString(directory.resolve("model.safetensors.index.json"), json);
  }

  /// @param words what the message must say
  private static Arguments a(String name, byte[] file, String... words) {
    return Arguments.of(Named.of(name, file), List.of(words));
  }

  private static byte[] file(String header, int dataBytes) {
    return SafetensorsWriter.bytes(header, new byte[dataBytes]);
  }

  private static byte[] length(long value) {
    return new GgufWriter.LittleEndianBytes().i64(value).raw(new byte[8]).bytes();
  }

  private static String tensor(String name, long begin, long end) {
    return tensor(name, "F32", "1", begin, end);
  }

  private static String tensor(String name, String dtype, String shape, long begin, long end) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%d,%d]}"
        .formatted(name, dtype, shape, begin, end);
  }
}
