package dev.weft.runtime.gpu;

import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.kernels.KernelSource;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/// A driver whose device is this machine's processor: the kernels' own source as ordinary
/// functions, compiled by g++, a block's threads as fibers. What has to do with indices, with the
/// order of operations and with the driver's calls is tested with it where there is no GPU; speed
/// is not, nor what the device's compiler makes of the source.
public final class EmulatedGpu {
  /// What the device has unless a test says otherwise.
  public static final long MEMORY_BYTES = 4L << 30;

  private static final Path DIRECTORY = Path.of("target", "emulator").toAbsolutePath();
  private static final int COMPILE_SECONDS = 300;

  private EmulatedGpu() {}

  /// Compiled once a process.
  private static final class Compiled {
    static final Path LIBRARY = compile(DIRECTORY);
    private static final NativeLibrary OPENED = NativeLibrary.open(LIBRARY);
    static final CudaDriver DRIVER = CudaDriver.open(OPENED);
    static final NativeFunction MEMORY = OPENED.function("emulatorMemory");
    static final NativeFunction HOLD = OPENED.function("emulatorHold");
    static final NativeFunction RELEASE = OPENED.function("emulatorRelease");
    static final NativeFunction LAUNCHES = OPENED.function("emulatorLaunches");
    static final NativeFunction STRAYS = OPENED.function("emulatorStrays");
    static final NativeFunction HOST_MEMORY = OPENED.function("emulatorHostMemory");
    static final NativeFunction LATE = OPENED.function("emulatorLate");
  }

  public static CudaDriver driver() {
    return Compiled.DRIVER;
  }

  /// Says how much memory the device has from now on, and returns what is allocated of it.
  public static long memory(long bytes) {
    return Compiled.MEMORY.call(bytes);
  }

  /// Has the next stream that is created run nothing before [#release].
  ///
  /// @param submitters whether who submits to it is held up as well
  static void hold(boolean submitters) {
    Compiled.HOLD.call(submitters ? 1 : 0);
  }

  /// Lets held streams run so many pieces of work, and returns how many there were not.
  static long release(int pieces) {
    return Compiled.RELEASE.call(pieces);
  }

  /// Holds nothing any more.
  static void release() {
    release(-1);
  }

  /// Kernels that have run so far.
  static long launches() {
    return Compiled.LAUNCHES.call();
  }

  /// Copies so far that were held, and had no memory to go to when they were released.
  static long strays() {
    return Compiled.STRAYS.call();
  }

  /// Says how much memory of the host can be pinned from now on, and returns what is.
  static long hostMemory(long bytes) {
    return Compiled.HOST_MEMORY.call(bytes);
  }

  /// Says whether from now on streams run only when somebody waits for them, and no further than
  /// that: what nothing orders runs in another order than it was submitted in.
  public static void late(boolean late) {
    Compiled.LATE.call(late ? 1 : 0);
  }

  static GpuBackend backend() {
    return new GpuBackend(driver(), 0, (_, _) -> new byte[] {0}, _ -> {});
  }

  static GpuBackend backend(long mostPartialBytes) {
    return new GpuBackend(
        driver(), 0, (_, _) -> new byte[] {0}, _ -> {}, HostMemoryLimit.NONE, mostPartialBytes);
  }

  static GpuBackend backend(HostMemoryLimit limit) {
    return new GpuBackend(driver(), 0, (_, _) -> new byte[] {0}, _ -> {}, limit);
  }

  /// A directory that has it as processes look for it, by the name of `libcuda.so.1`.
  static Path directory() {
    return Objects.requireNonNull(Compiled.LIBRARY.getParent());
  }

  /// Makes the driver's library, and says where it is.
  static Path compile(Path directory) {
    try {
      Files.createDirectories(directory);
      for (String part : new String[] {"emulator.hpp", "emulator.cpp"}) {
        try (InputStream from =
            Objects.requireNonNull(EmulatedGpu.class.getResourceAsStream("/emulator/" + part))) {
          Files.copy(from, directory.resolve(part), StandardCopyOption.REPLACE_EXISTING);
        }
      }
      Files.writeString(directory.resolve("kernels.inc"), KernelSource.text(KernelUnit.all()));
      Path library = directory.resolve("libcuda.so.1");
      // The same rounding as the device's: nothing is fused but what says so.
      Process process =
          new ProcessBuilder(
                  "g++",
                  "-std=c++17",
                  "-O2",
                  "-ffp-contract=off",
                  "-fno-strict-aliasing",
                  "-mfma",
                  "-mf16c",
                  "-fPIC",
                  "-shared",
                  "-w",
                  "emulator.cpp",
                  "-o",
                  library.toString())
              .directory(directory.toFile())
              .redirectErrorStream(true)
              .start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(COMPILE_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new IllegalStateException("the emulator does not compile: " + output);
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
