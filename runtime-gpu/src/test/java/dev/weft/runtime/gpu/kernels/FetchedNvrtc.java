package dev.weft.runtime.gpu.kernels;

import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.TimeUnit;

/// NVRTC, which compiles without a GPU: where [Nvrtc#VARIABLE] says, or from its Python package,
/// which is fetched once and kept in the user's cache.
public final class FetchedNvrtc {
  private static final String VERSION = "13.0.88";
  private static final int FETCH_SECONDS = 240;

  private FetchedNvrtc() {}

  /// @throws IOException when it is not there and cannot be fetched
  public static Nvrtc open() throws IOException {
    String named = System.getenv(Nvrtc.VARIABLE);
    return Nvrtc.open(named == null ? fetched() : Path.of(named));
  }

  private static Path fetched() throws IOException {
    String cache = System.getenv("XDG_CACHE_HOME");
    Path parent =
        cache == null ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(cache);
    Path directory = parent.resolve("weft").resolve("nvrtc-" + VERSION);
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(directory.getParent());
      Path part = Files.createTempDirectory(directory.getParent(), "nvrtc");
      fetch(part);
      Files.move(part, directory, StandardCopyOption.ATOMIC_MOVE);
    }
    return directory.resolve("nvidia/cu13/lib/libnvrtc.so.13");
  }

  private static void fetch(Path to) throws IOException {
    Process process =
        new ProcessBuilder(
                "python3",
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--no-compile",
                "--target",
                to.toString(),
                "nvidia-cuda-nvrtc==" + VERSION)
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (!process.waitFor(FETCH_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
        process.destroy();
        throw new IOException("pip does not fetch NVRTC: " + output);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }
}
