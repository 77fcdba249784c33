package dev.weft.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.gpu.kernels.FetchedNvrtc;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The emulator does not run the kernels that read; that they compile is seen without a GPU.
class ReadCeilingTest {
  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90a"})
  void itsKernelsCompile(String architecture) throws IOException {
    assertThat(ReadCeiling.compile(FetchedNvrtc.open(), architecture)).isNotEmpty();
  }
}
