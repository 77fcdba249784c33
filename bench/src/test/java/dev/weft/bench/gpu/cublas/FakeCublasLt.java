package dev.weft.bench.gpu.cublas;

import dev.weft.runtime.foreign.NativeLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/// A library that answers as cuBLASLt does and computes on this machine's processor.
public final class FakeCublasLt {
  private static final Path DIRECTORY = Path.of("target", "cublaslt").toAbsolutePath();
  private static final int COMPILE_SECONDS = 60;

  private FakeCublasLt() {}

  /// Compiled once a process.
  private static final class Compiled {
    static final Path FILE = compile();
    static final NativeLibrary LIBRARY = NativeLibrary.open(FILE);
  }

  /// Where it is.
  public static Path file() {
    return Compiled.FILE;
  }

  /// What was created and not destroyed.
  public static long alive() {
    return Compiled.LIBRARY.function("fakeAlive").call();
  }

  /// Products that were computed.
  public static long products() {
    return Compiled.LIBRARY.function("fakeProducts").call();
  }

  private static Path compile() {
    try {
      Files.createDirectories(DIRECTORY);
      try (InputStream from =
          Objects.requireNonNull(
              FakeCublasLt.class.getResourceAsStream("/cublaslt/cublaslt.cpp"))) {
        Files.copy(from, DIRECTORY.resolve("cublaslt.cpp"), StandardCopyOption.REPLACE_EXISTING);
      }
      Path library = DIRECTORY.resolve("libcublasLt.so");
      Process process =
          new ProcessBuilder(
                  "g++",
                  "-std=c++17",
                  "-O2",
                  "-fPIC",
                  "-shared",
                  "cublaslt.cpp",
                  "-o",
                  library.toString())
              .directory(DIRECTORY.toFile())
              .redirectErrorStream(true)
              .start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(COMPILE_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new IllegalStateException("the library does not compile: " + output);
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
