package dev.weft.runtime.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.EmulatedHost;
import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What was compiled is kept, and nothing else is ever taken for it. The compiler gives other bytes
/// each time, so that bytes tell whether it was asked.
class CachedKernelsTest {
  @TempDir private static Path library;
  private static Nvrtc nvrtc;

  @TempDir private Path directory;

  @BeforeAll
  static void makeCompiler() {
    nvrtc = Nvrtc.open(EmulatedHost.compiler(library));
  }

  private byte[] compile(String source, String architecture) {
    return new CachedKernels(directory, () -> nvrtc).compile(unit(source), architecture);
  }

  private static KernelUnit unit(String source) {
    return new KernelUnit("made up", List.of(), source);
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }

  @Test
  void whatWasCompiledIsTakenAgain() throws IOException {
    byte[] first = compile("kernels", "sm_90a");
    assertThat(compile("kernels", "sm_90a")).isEqualTo(first);
    assertThat(files()).singleElement().asString().endsWith(".cubin");
  }

  @Test
  void anotherSourceOrArchitectureIsCompiled() throws IOException {
    byte[] first = compile("kernels", "sm_90a");
    assertThat(compile("other kernels", "sm_90a")).isNotEqualTo(first);
    assertThat(compile("kernels", "sm_80")).isNotEqualTo(first);
    assertThat(files()).hasSize(3);
    assertThat(compile("kernels", "sm_90a")).isEqualTo(first);
  }

  @Test
  void aDamagedFileIsCompiledAgain() throws IOException {
    byte[] first = compile("kernels", "sm_90a");
    Path file = files().getFirst();
    byte[] whole = Files.readAllBytes(file);
    byte[] flipped = whole.clone();
    flipped[0] ^= 1;
    for (byte[] damaged : List.of(new byte[0], Arrays.copyOf(whole, whole.length - 1), flipped)) {
      Files.write(file, damaged);
      byte[] again = compile("kernels", "sm_90a");
      assertThat(again).isNotEqualTo(first);
      assertThat(compile("kernels", "sm_90a")).isEqualTo(again);
    }
    assertThat(files()).as("nothing is left beside it").hasSize(1);
  }

  @Test
  void aCacheThatCannotBeWrittenCostsNothingElse() throws IOException {
    Path file = Files.createFile(directory.resolve("a file"));
    var kernels = new CachedKernels(file, () -> nvrtc);
    byte[] first = kernels.compile(unit("kernels"), "sm_90a");
    assertThat(kernels.compile(unit("kernels"), "sm_90a")).isNotEqualTo(first);
  }

  @Test
  void whatDoesNotCompileIsToldWithTheCompilersWords() throws IOException {
    assertThatThrownBy(() -> compile("#error", "sm_90a"))
        .isInstanceOf(NativeException.class)
        .hasMessageContaining("does not compile (NVRTC_ERROR_COMPILATION)")
        .hasMessageContaining("it says #error");
    assertThat(files()).isEmpty();
  }
}
