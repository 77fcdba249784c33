package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class GpuHostTest {
  @Test
  void aProbeAlwaysAnswers() {
    switch (GpuHost.probe()) {
      case GpuHost.NoDriver(String reason) -> {
        assertThat(Files.exists(Path.of("/dev/nvidia0"))).as(reason).isFalse();
        assertThat(reason).contains("libcuda.so.1");
      }
      case GpuHost.Devices(String cuda, var gpus) -> {
        assertThat(cuda).matches("\\d+\\.\\d+");
        assertThat(gpus)
            .allSatisfy(gpu -> {
              assertThat(gpu.architecture()).matches("sm_\\d{2,3}");
              assertThat(gpu.memoryBytes()).isPositive();
            });
      }
    }
  }
}
