package dev.weft.platform.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The GPUs of this machine. The GPU runtime is asked, in a process of its own: this one loads no
/// driver.
public sealed interface HostGpus {
  /// There are some, and they can be used.
  record Found(List<Gpu> gpus) implements HostGpus {
    public Found {
      gpus = List.copyOf(gpus);
    }
  }

  /// None can be used; the reason is for people, and says what to do.
  record None(String reason) implements HostGpus {}

  /// One GPU.
  ///
  /// @param index in the driver's order
  /// @param architecture such as `sm_90`
  record Gpu(int index, String name, String architecture, long memoryBytes) {}

  /// What the runtime prints.
  record Answer(@Nullable String cudaVersion, List<Gpu> gpus, @Nullable String problem) {}

  /// What a system has that knows of NVIDIA's cards; the second is of Windows' subsystem for Linux.
  List<Path> SIGNS = List.of(Path.of("/dev/nvidiactl"), Path.of("/dev/dxg"));

  /// The GPU runtime's main class.
  String MAIN_CLASS = "dev.weft.runtime.gpu.Main";

  /// The most that drivers were seen to take, and far more.
  int SECONDS = 30;

  /// Whether it is worth to ask; otherwise there is no GPU.
  static boolean maybe() {
    return SIGNS.stream().anyMatch(Files::exists);
  }

  /// Asks the runtime on this class path.
  static HostGpus ask(String classpath, String mainClass) {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    var command =
        new ProcessBuilder(
            java,
            "-XX:TieredStopAtLevel=1",
            "-Xmx64m",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            classpath,
            mainClass,
            "--probe");
    command.redirectError(ProcessBuilder.Redirect.DISCARD);
    try {
      Process process = command.start();
      process.getOutputStream().close();
      if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        return new None("the GPU runtime did not say within %d s what there is".formatted(SECONDS));
      }
      return read(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      return new None("the GPU runtime cannot be asked: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new None("interrupted");
    }
  }

  private static HostGpus read(String text) {
    ObjectMapper json = Json.mapper();
    try {
      // The last line: a JVM may have something to say before.
      Answer answer = json.readValue(text.strip().lines().toList().getLast(), Answer.class);
      String problem = answer.problem();
      return problem == null ? new Found(answer.gpus()) : new None(problem);
    } catch (JsonProcessingException | NoSuchElementException e) {
      return new None("the GPU runtime answered '%s'".formatted(text.strip()));
    }
  }
}
