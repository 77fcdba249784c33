package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckedKernelsTest {
  @TempDir private Path directory;

  private Path cpuinfo(String model, String microcode, String megahertz) throws IOException {
    return Files.writeString(
        directory.resolve("cpuinfo"),
        """
        processor\t: 0
        model name\t: %s
        microcode\t: %s
        cpu MHz\t\t: %s
        flags\t\t: avx2 fma

        processor\t: 1
        """
            .formatted(model, microcode, megahertz));
  }

  private CheckedKernels kernels(String model, String microcode, String megahertz)
      throws IOException {
    return CheckedKernels.in(directory, cpuinfo(model, microcode, megahertz));
  }

  @Test
  void whatWasFoundRightIsKnownAtTheNextStart() throws IOException {
    CheckedKernels first = kernels("one", "0x1", "2000");
    assertThat(first.has(Isa.AVX2, DType.Q4_0, Packing.FILE)).isFalse();
    first.add(Isa.AVX2, DType.Q4_0, Packing.FILE);
    first.add(Isa.AVX2, DType.Q4_0, Packing.FILE);
    assertThat(first.has(Isa.AVX2, DType.Q4_0, Packing.FILE)).isTrue();
    CheckedKernels next = kernels("one", "0x1", "3000");
    assertThat(next.has(Isa.AVX2, DType.Q4_0, Packing.FILE)).isTrue();
    assertThat(next.has(Isa.AVX512_VNNI, DType.Q4_0, Packing.FILE)).isFalse();
    assertThat(next.has(Isa.AVX2, DType.Q4_1, Packing.FILE)).isFalse();
    assertThat(next.has(Isa.AVX2, DType.Q4_0, Packing.W8A8)).isFalse();
  }

  @Test
  void anotherProcessorIsAskedItself() throws IOException {
    kernels("one", "0x1", "2000").add(Isa.AVX2, DType.Q4_0, Packing.FILE);
    assertThat(kernels("two", "0x1", "2000").has(Isa.AVX2, DType.Q4_0, Packing.FILE)).isFalse();
    assertThat(kernels("one", "0x2", "2000").has(Isa.AVX2, DType.Q4_0, Packing.FILE)).isFalse();
  }

  @Test
  void directoryThatCannotBeWrittenOnlyForgets() throws IOException {
    CheckedKernels kernels =
        CheckedKernels.in(directory.resolve("absent"), cpuinfo("one", "0x1", "2000"));
    kernels.add(Isa.AVX2, DType.F32, Packing.FILE);
    assertThat(kernels.has(Isa.AVX2, DType.F32, Packing.FILE)).isTrue();
  }
}
