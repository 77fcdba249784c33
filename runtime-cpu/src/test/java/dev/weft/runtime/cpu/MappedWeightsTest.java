package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.cpu.packed.PackedCache;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Weights that were kept give the bits of weights that are packed.
class MappedWeightsTest {
  private static final int TOKENS = 40;

  @TempDir private Path directory;

  private CpuBackend backend(Optional<PackedCache.Settings> cache) {
    return new CpuBackend(
        new CpuOptions(CpuDevices.NATIVES, 2, Optional.empty(), CpuOptions.DEFAULT_SPINS, cache));
  }

  private PackedCache.Settings settings() {
    return new PackedCache.Settings(directory.resolve("packed"), 1 << 30);
  }

  private List<float[]> logits(CpuBackend backend, Path file, Quantization quantization) {
    var options = new CompileOptions(quantization, 64, 40, 64, 2);
    try (ModelPackage model = ModelFiles.open(file);
        DecoderExecutable decoder =
            backend.compile((DecoderSpec) model.spec(), model.weights(), options)) {
      int[] tokens = new SplittableRandom(9).ints(TOKENS, 0, 300).toArray();
      return Steps.logits(
          decoder, tokens, Steps.blocks(decoder, 0, 1, TOKENS), List.of(TOKENS - 1, 1));
    }
  }

  private void assertSameBits(
      Optional<PackedCache.Settings> cache, Path file, Quantization quantization, String what) {
    List<float[]> expected;
    try (CpuBackend backend = backend(Optional.empty())) {
      expected = logits(backend, file, quantization);
    }
    try (CpuBackend backend = backend(cache)) {
      List<float[]> actual = logits(backend, file, quantization);
      for (int row = 0; row < expected.size(); row++) {
        assertThat(actual.get(row)).as("%s, row %d", what, row).isEqualTo(expected.get(row));
      }
    }
  }

  private List<Path> kept() throws IOException {
    try (Stream<Path> files = Files.list(directory.resolve("packed"))) {
      return files.filter(file -> file.toString().endsWith(".packed")).toList();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "BF16", "Q4_1", "Q8_0", "Q6_K"})
  void mappedGiveTheBitsOfPacked(DType type) throws IOException {
    Path file =
        TinyModels.llama(directory, 3).hidden(256).intermediate(512).dtype(type).writeGguf();
    assertSameBits(Optional.of(settings()), file, Quantization.NONE, "while it is written");
    assertThat(kept()).hasSize(1);
    assertSameBits(Optional.of(settings()), file, Quantization.NONE, "as it was kept");
    assertThat(kept()).hasSize(1);
    assertSameBits(Optional.of(settings()), file, Quantization.W8A8, "another packing");
    assertThat(kept()).hasSize(2);
  }

  /// Another model's kept weights under this one's name are not taken for its own.
  @Test
  void strangersFilesAreNotUsed() throws IOException {
    Path file = TinyModels.llama(directory, 3).writeGguf();
    assertSameBits(Optional.of(settings()), file, Quantization.NONE, "first");
    Path own = kept().getFirst();
    Path stranger = TinyModels.llama(Files.createDirectory(directory.resolve("b")), 4).writeGguf();
    assertSameBits(Optional.of(settings()), stranger, Quantization.NONE, "the other");
    Path others = kept().stream().filter(each -> !each.equals(own)).findFirst().orElseThrow();
    Files.copy(others, own, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    assertSameBits(Optional.of(settings()), file, Quantization.NONE, "in disguise");
  }

  @Test
  void unwritableDirectoryOnlyCostsPacking() throws IOException {
    Path file = TinyModels.llama(directory, 3).writeGguf();
    Path blocked = Files.writeString(directory.resolve("blocked"), "a file, no directory");
    assertSameBits(
        Optional.of(new PackedCache.Settings(blocked, 1 << 30)), file, Quantization.NONE, "");
  }
}
