package dev.weft.runtime.gpu.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeLibrary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Drivers that cannot be used say so, and what to do, before anything is done with them.
class CudaDriverTest {
  @TempDir private Path directory;

  /// A driver with these functions, which all succeed and do nothing, but for what it says of its
  /// version.
  private NativeLibrary driver(List<String> names, int version, String initialised)
      throws IOException, InterruptedException {
    Path source = directory.resolve("driver.c");
    Files.writeString(
        source,
        names.stream()
                .map(name ->
                    switch (name) {
                      case "cuDriverGetVersion" ->
                          "int cuDriverGetVersion(int *v) { *v = %d; return 0; }"
                              .formatted(version);
                      case "cuInit" ->
                          "int cuInit(int flags) { return %s; }".formatted(initialised);
                      case "cuGetErrorName" ->
                          "int cuGetErrorName(int e, const char **t) { *t = \"CUDA_ERROR_NO_DEVICE\"; return 0; }";
                      case "cuGetErrorString" ->
                          "int cuGetErrorString(int e, const char **t) { *t = \"no device\"; return 0; }";
                      default -> "int %s() { return 0; }".formatted(name);
                    })
                .collect(Collectors.joining("\n"))
            + "\n");
    Path library = directory.resolve("libcuda-%d-%d.so".formatted(version, names.size()));
    Process process =
        new ProcessBuilder(
                "gcc", "-w", "-shared", "-fPIC", source.toString(), "-o", library.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    return NativeLibrary.open(library);
  }

  @Test
  void aDriverThatLacksAFunctionIsTooOld() throws IOException, InterruptedException {
    List<String> names =
        CudaFunctions.NAMES.stream().filter(name -> !name.equals("cuLaunchKernelEx")).toList();
    NativeLibrary library = driver(names, 13_000, "0");
    assertThatThrownBy(() -> CudaDriver.open(library))
        .isInstanceOf(NativeException.class)
        .hasMessageStartingWith("the driver of NVIDIA is too old: it has no cuLaunchKernelEx; ")
        .hasMessageContaining("install NVIDIA's driver 525 or newer");
  }

  @Test
  void aDriverOfAnEarlierCudaIsTooOld() throws IOException, InterruptedException {
    NativeLibrary library = driver(CudaFunctions.NAMES, 11_080, "0");
    assertThatThrownBy(() -> CudaDriver.open(library))
        .isInstanceOf(NativeException.class)
        .hasMessageStartingWith("the driver of NVIDIA is too old: it serves CUDA 11.8; install");
  }

  @Test
  void aDriverThatDoesNotInitialiseSaysWhy() throws IOException, InterruptedException {
    NativeLibrary library = driver(CudaFunctions.NAMES, 13_010, "100");
    assertThatThrownBy(() -> CudaDriver.open(library))
        .isInstanceOf(CudaException.class)
        .hasMessage("cuInit failed with CUDA_ERROR_NO_DEVICE (100): no device");
  }

  @Test
  void aDriverThatIsNewEnoughIsOpened() throws IOException, InterruptedException {
    CudaDriver driver = CudaDriver.open(driver(CudaFunctions.NAMES, 12_040, "0"));
    assertThat(CudaDriver.versionText(driver.driverGetVersion())).isEqualTo("12.4");
  }
}
