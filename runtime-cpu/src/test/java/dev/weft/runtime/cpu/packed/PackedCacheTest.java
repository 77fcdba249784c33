package dev.weft.runtime.cpu.packed;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.weights.SourceFile;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is kept comes back byte for byte, and only for exactly what it was made of.
class PackedCacheTest {
  private static final long MATRIX_BYTES = 3 * 4096;

  @TempDir private Path directory;
  private Path model;

  @BeforeEach
  void writeModel() throws IOException {
    model = Files.writeString(directory.resolve("model.gguf"), "weights");
  }

  private PackedCache cache(long limitBytes) {
    return new PackedCache(
        new PackedCache.Settings(directory.resolve("packed"), limitBytes), () -> {});
  }

  private PackedContents contents(int layout, String packing) {
    return new PackedContents(
        layout,
        List.of(SourceFile.of(model).orElseThrow()),
        List.of(
            new PackedContents.Matrix("output.weight", "Q8_0", 37, 64, packing, MATRIX_BYTES),
            // More than one write.
            new PackedContents.Matrix("blk.0.attn_q.weight", "F32", 16, 64, packing, 9 << 20)));
  }

  private static List<byte[]> matrices(PackedContents contents, long seed) {
    List<byte[]> matrices = new ArrayList<>();
    for (PackedContents.Matrix matrix : contents.matrices()) {
      byte[] bytes = new byte[(int) matrix.bytes()];
      new SplittableRandom(seed + matrices.size()).nextBytes(bytes);
      matrices.add(bytes);
    }
    return matrices;
  }

  private static void assertHolds(PackedFile file, List<byte[]> matrices) {
    for (int i = 0; i < matrices.size(); i++) {
      assertThat(file.matrix(i).toArray(JAVA_BYTE)).isEqualTo(matrices.get(i));
      assertThat(file.matrix(i).address() % 64).isZero();
    }
  }

  private static PackedFile write(PackedCache cache, PackedContents contents, long seed)
      throws IOException {
    try (PackedWriter writer = cache.create(contents).orElseThrow()) {
      for (byte[] matrix : matrices(contents, seed)) {
        writer.append(MemorySegment.ofArray(matrix));
      }
      return writer.finish();
    }
  }

  /// Writes and waits until it is kept.
  private void keep(PackedContents contents, long seed, long limitBytes) throws IOException {
    try (PackedCache cache = cache(limitBytes);
        PackedFile written = write(cache, contents, seed)) {
      assertHolds(written, matrices(contents, seed));
    }
  }

  private boolean kept(PackedContents contents) {
    try (PackedCache cache = cache(1 << 30)) {
      Optional<PackedFile> found = cache.find(contents);
      found.ifPresent(PackedFile::close);
      return found.isPresent();
    }
  }

  private List<Path> files(String suffix) throws IOException {
    try (Stream<Path> files = Files.list(directory.resolve("packed"))) {
      return files.filter(file -> file.toString().endsWith(suffix)).toList();
    }
  }

  @Test
  void findsWhatAnotherProcessKept() throws IOException {
    PackedContents contents = contents(1, "FILE");
    assertThat(kept(contents)).isFalse();
    keep(contents, 5, 1 << 30);
    try (PackedCache cache = cache(1 << 30);
        PackedFile file = cache.find(contents).orElseThrow()) {
      assertHolds(file, matrices(contents, 5));
      assertThat(file.bytes().isReadOnly()).isTrue();
    }
    assertThat(files(".part")).isEmpty();
  }

  @Test
  void findsWhatIsStillBeingKept() throws IOException {
    PackedContents contents = contents(1, "FILE");
    var hold = new CompletableFuture<Void>();
    try (PackedCache cache =
            new PackedCache(
                new PackedCache.Settings(directory.resolve("packed"), 1 << 30), hold::join);
        PackedFile written = write(cache, contents, 5);
        PackedFile found = cache.find(contents).orElseThrow()) {
      assertThat(files(".packed")).isEmpty();
      assertHolds(found, matrices(contents, 5));
      assertHolds(written, matrices(contents, 5));
      hold.complete(null);
    }
    assertThat(files(".packed")).hasSize(1);
  }

  @Test
  void otherLayoutsPackingsAndContentsAreOthers() throws IOException {
    PackedContents contents = contents(1, "FILE");
    keep(contents, 5, 1 << 30);
    assertThat(kept(contents(2, "FILE"))).isFalse();
    assertThat(kept(contents(1, "W8A8"))).isFalse();
    Files.writeString(model, "other weights");
    assertThat(kept(contents(1, "FILE"))).isFalse();
  }

  /// The same model at another place, or touched: its hash is made anew and leads to the same file.
  @Test
  void contentsCountAndNotThePath() throws IOException {
    keep(contents(1, "FILE"), 5, 1 << 30);
    Path first = files(".packed").getFirst();
    model = Files.copy(model, directory.resolve("copy.gguf"));
    keep(contents(1, "FILE"), 5, 1 << 30);
    assertThat(files(".packed")).containsExactly(first);
  }

  @Test
  void damagedFilesAreNotUsed() throws IOException {
    PackedContents contents = contents(1, "FILE");
    keep(contents, 5, 1 << 30);
    try (var file = new RandomAccessFile(files(".packed").getFirst().toFile(), "rw")) {
      file.setLength(file.length() - 4096);
    }
    assertThat(kept(contents)).as("cut short").isFalse();
    assertThat(files(".packed")).isEmpty();

    keep(contents, 5, 1 << 30);
    try (var file = new RandomAccessFile(files(".packed").getFirst().toFile(), "rw")) {
      file.seek(30);
      file.write('#');
    }
    assertThat(kept(contents)).as("another header").isFalse();

    keep(contents, 6, 1 << 30);
    assertThat(kept(contents)).as("packed again").isTrue();
  }

  @Test
  void modelThatChangesWhileItIsPackedIsNotKept() throws IOException {
    PackedContents contents = contents(1, "FILE");
    Files.writeString(model, "changed meanwhile");
    keep(contents, 5, 1 << 30);
    assertThat(files(".packed")).isEmpty();
    assertThat(files(".part")).isEmpty();
  }

  @Test
  void theLongestUnusedGoesFirst() throws IOException {
    long limit = 2 * contents(1, "FILE").fileBytes();
    keep(contents(1, "FILE"), 1, limit);
    keep(contents(2, "FILE"), 2, limit);
    for (Path file : files(".packed")) {
      Files.setLastModifiedTime(file, FileTime.from(Instant.EPOCH));
    }
    assertThat(kept(contents(1, "FILE"))).as("and used").isTrue();
    keep(contents(3, "FILE"), 3, limit);
    assertThat(kept(contents(1, "FILE"))).isTrue();
    assertThat(kept(contents(2, "FILE"))).isFalse();
    assertThat(kept(contents(3, "FILE"))).isTrue();
  }

  @Test
  void whatIsLargerThanTheLimitIsNotKept() throws IOException {
    try (PackedCache cache = cache(1 << 20)) {
      assertThat(cache.create(contents(1, "FILE"))).isEmpty();
    }
  }

  @Test
  void unfinishedWritersLeaveNothing() throws IOException {
    try (PackedCache cache = cache(1 << 30)) {
      try (PackedWriter writer = cache.create(contents(1, "FILE")).orElseThrow()) {
        assertThatThrownBy(writer::finish).isInstanceOf(IllegalStateException.class);
      }
      assertThat(files(".part")).isEmpty();
    }
  }

  @Test
  void leftoversOfKilledProcessesAreRemoved() throws IOException {
    Files.createDirectories(directory.resolve("packed"));
    Path leftover = Files.writeString(directory.resolve("packed/packed1.part"), "a part");
    keep(contents(1, "FILE"), 5, 1 << 30);
    assertThat(leftover).doesNotExist();
  }

  @Test
  void twoMayKeepTheSameAtOnce() throws IOException {
    PackedContents contents = contents(1, "FILE");
    PackedCache one = cache(1 << 30);
    PackedCache other = cache(1 << 30);
    try (PackedFile first = write(one, contents, 5);
        PackedFile second = write(other, contents, 5)) {
      one.close();
      other.close();
      assertHolds(first, matrices(contents, 5));
      assertHolds(second, matrices(contents, 5));
    }
    assertThat(files(".packed")).hasSize(1);
    assertThat(kept(contents)).isTrue();
  }

  @Test
  void limitsAreSizesOrOff() {
    assertThat(PackedCache.Settings.of(directory, Optional.of("off"))).isEmpty();
    assertThat(PackedCache.Settings.of(directory, Optional.of("3G")))
        .contains(new PackedCache.Settings(directory, 3L << 30));
    assertThat(PackedCache.Settings.of(directory, Optional.empty())).isPresent();
    assertThatThrownBy(() -> PackedCache.Settings.of(directory, Optional.of("much")))
        .hasMessageContaining("'much' is neither off nor a size");
  }
}
