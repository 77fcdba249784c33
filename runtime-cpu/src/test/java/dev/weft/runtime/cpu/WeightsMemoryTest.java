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
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What a model's weights take of this process's memory: while it is loaded what it was packed
/// into, not what it was packed from, and nothing when it is gone.
@SuppressWarnings("NullAway.Init") // Written before each test.
class WeightsMemoryTest {
  private static final int HIDDEN = 512;
  private static final int VOCABULARY = 300;
  private static final long TABLE_BYTES = 2L * HIDDEN * VOCABULARY;

  /// A page at each end of a tensor, what the file's header takes, and what the kernel maps around
  /// what is looked at: a fraction of the file, which has ten times as much.
  private static final long SLACK_BYTES = 3 << 20;

  @TempDir private Path directory;

  private Path model;
  private Path source;

  @BeforeEach
  void write() throws IOException {
    model =
        TinyModels.llama(directory, 3)
            .hidden(HIDDEN)
            .heads(8, 8)
            .intermediate(4 * HIDDEN)
            .layers(4)
            .vocabulary(VOCABULARY)
            .dtype(DType.BF16)
            .writeSafetensors();
    try (Stream<Path> files = Files.walk(model)) {
      source =
          files.filter(file -> file.toString().endsWith(".safetensors")).findFirst().orElseThrow();
    }
    assertThat(Files.size(source)).isGreaterThan(30L << 20);
  }

  private CpuBackend backend(boolean keeps) {
    var cache = new PackedCache.Settings(packed(), 1 << 30);
    return new CpuBackend(
        new CpuOptions(
            CpuDevices.NATIVES,
            2,
            Optional.empty(),
            CpuOptions.DEFAULT_SPINS,
            keeps ? Optional.of(cache) : Optional.empty()));
  }

  private Path packed() {
    return directory.resolve("packed");
  }

  private static DecoderExecutable compile(
      CpuBackend backend, ModelPackage files, Quantization quantization) {
    var options = new CompileOptions(quantization, 64, 8, 16, 2);
    return backend.compile((DecoderSpec) files.spec(), files.weights(), options);
  }

  /// Bytes that mappings of files below `path` have in memory; empty when there is no mapping.
  private static Optional<Long> resident(Path path) throws IOException {
    boolean counts = false;
    Optional<Long> bytes = Optional.empty();
    for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
      if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
        counts = line.contains(path.toRealPath().toString());
      } else if (counts && line.startsWith("Rss:")) {
        bytes = Optional.of(bytes.orElse(0L) + kilobytes(line));
      }
    }
    return bytes;
  }

  private static long kilobytes(String line) {
    return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
  }

  @ParameterizedTest
  @EnumSource(names = {"NONE", "W8A8", "W4A8"})
  void theSourceTakesNoMemoryOnceItIsPacked(Quantization quantization) throws IOException {
    for (boolean keeps : new boolean[] {false, true}) {
      try (var backend = backend(keeps);
          var files = ModelFiles.open(model)) {
        try (var _ = compile(backend, files, quantization)) {
          assertThat(resident(source).orElseThrow())
              .as("rows are looked up in the table alone")
              .isLessThan(TABLE_BYTES + SLACK_BYTES);
          assertThat(Files.exists(packed()) && resident(packed()).isPresent())
              .as("what was packed is mapped")
              .isEqualTo(keeps);
        }
        assertThat(Files.exists(packed()) && resident(packed()).isPresent()).isFalse();
      }
      assertThat(resident(source)).as("the source is mapped no more").isEmpty();
    }
  }
}
