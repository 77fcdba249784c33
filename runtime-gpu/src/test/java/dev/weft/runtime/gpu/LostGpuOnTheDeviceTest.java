package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;

/// A kernel reads what is nowhere: the driver refuses all that comes after, whoever holds the
/// device hears why, and another process has the device as before. What a runtime does then is in
/// [GpuRuntimeTest].
@EnabledIf(
    value = "dev.weft.runtime.gpu.RealGpu#isThere",
    disabledReason = "no usable NVIDIA driver, or no NVRTC: see weft-runtime-gpu --probe")
@Timeout(120)
class LostGpuOnTheDeviceTest {
  private static final long NOWHERE = 16;

  /// A process of its own, which the error ends for.
  static final class Loser {
    private Loser() {}

    public static void main(String[] arguments) {
      var device =
          new GpuDevice(
              CudaDriver.open(),
              0,
              RealGpu.kernels(),
              lost -> System.out.println("lost: " + lost.getMessage()));
      readNowhere(device);
      readNowhere(device);
    }

    private static void readNowhere(GpuDevice device) {
      try (Arena arena = Arena.ofConfined()) {
        device.watched(() -> {
          var parameters = new LaunchParameters(arena).start().address(NOWHERE).address(64);
          parameters.address(NOWHERE).address(0).address(NOWHERE).integer(64);
          device
              .kernel(KernelUnit.weights(DType.F32), "embed_f32")
              .launch(device.stream(), LaunchGrid.of(1, 256), parameters);
          device.stream().synchronize();
          return true;
        });
        System.out.println("it was read");
      } catch (CudaException e) {
        System.out.println("sticky: " + e.sticky());
      }
    }
  }

  @Test
  void anIllegalAddressEndsAllThatComesAfterInItsProcess()
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Loser.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

    assertThat(process.waitFor()).as(output).isZero();
    assertThat(output.lines().filter(line -> line.startsWith("lost: ")))
        .as(output)
        .hasSize(2)
        .allMatch(line -> line.contains("failed with CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
    assertThat(output.lines().filter("sticky: true"::equals)).as(output).hasSize(2);
    assertThat(output).doesNotContain("it was read");

    try (GpuBackend backend = RealGpu.backend()) {
      assertThat(backend.capacityBytes()).isPositive();
    }
  }
}
