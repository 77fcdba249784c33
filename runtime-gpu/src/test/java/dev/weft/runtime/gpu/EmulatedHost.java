package dev.weft.runtime.gpu;

import dev.weft.runtime.model.TinyModels;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/// Makes a directory in which whole processes find what a host with a GPU has: the emulated driver,
/// and a compiler for it ([#environment]). As a program it also makes a model that is small enough.
public final class EmulatedHost {
  private EmulatedHost() {}

  /// @param arguments the directory; `libcuda.so.1`, `libnvrtc.so` and `model.gguf` are made there
  public static void main(String[] arguments) {
    Path directory = Path.of(arguments[0]).toAbsolutePath();
    EmulatedGpu.compile(directory);
    compiler(directory);
    // Large enough that a stream on processors takes longer than a command.
    TinyModels.llama(directory, 3).hidden(512).layers(6).heads(8, 1).context(1_024).writeGguf();
  }

  /// What a process is started with to find both, and a file that takes its GPU from it.
  static Map<String, String> environment(Path directory, Path loss) {
    return Map.of(
        "LD_LIBRARY_PATH", directory.toString(),
        "WEFT_NVRTC", directory.resolve("libnvrtc.so").toString(),
        "WEFT_EMULATOR_LOSS", loss.toString());
  }

  static Path model(Path directory) {
    return TinyModels.llama(directory, 3).hidden(64).layers(2).heads(4, 2).context(512).writeGguf();
  }

  /// An encoder beside it.
  static Path encoder(Path directory) {
    return TinyModels.bert(directory, 3).writeSafetensors();
  }

  /// Makes the stand-in for NVRTC, and says where it is.
  public static Path compiler(Path directory) {
    Path library = directory.resolve("libnvrtc.so");
    try (InputStream source =
        Objects.requireNonNull(EmulatedHost.class.getResourceAsStream("/emulator/nvrtc.cpp"))) {
      Path file = directory.resolve("nvrtc.cpp");
      Files.write(file, source.readAllBytes());
      Process process =
          new ProcessBuilder(
                  "g++",
                  "-std=c++17",
                  "-fPIC",
                  "-shared",
                  file.toString(),
                  "-o",
                  library.toString())
              .redirectErrorStream(true)
              .start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new IllegalStateException("the stand-in for NVRTC does not compile: " + said);
      }
      return library;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
