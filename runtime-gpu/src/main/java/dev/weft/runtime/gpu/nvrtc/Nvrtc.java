package dev.weft.runtime.gpu.nvrtc;

import static dev.weft.runtime.foreign.NativeFunction.address;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// The functions of `libnvrtc` that this module calls, as `nvrtc.h` 13.0 declares them. **thread**:
/// any.
public final class Nvrtc {
  /// Where a host says that it has NVRTC.
  public static final String VARIABLE = "WEFT_NVRTC";

  private static final int SUCCESS = 0;
  private static final String BUILTINS = "libnvrtc-builtins.so*";

  /// Names that the system may find, the newest first.
  private static final List<String> NAMES =
      List.of("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so");

  private static final List<Path> PLACES =
      List.of(
          Path.of("/usr/local/cuda/lib64/libnvrtc.so"),
          Path.of("/usr/local/cuda/lib64/libnvrtc.so.13"),
          Path.of("/usr/local/cuda/lib64/libnvrtc.so.12"));

  private final NativeFunction version;
  private final NativeFunction createProgram;
  private final NativeFunction destroyProgram;
  private final NativeFunction compileProgram;
  private final NativeFunction logSize;
  private final NativeFunction log;
  private final NativeFunction cubinSize;
  private final NativeFunction cubin;
  private final NativeFunction errorString;

  public Nvrtc(NativeLibrary library) {
    version = library.function("nvrtcVersion");
    createProgram = library.function("nvrtcCreateProgram");
    destroyProgram = library.function("nvrtcDestroyProgram");
    compileProgram = library.function("nvrtcCompileProgram");
    logSize = library.function("nvrtcGetProgramLogSize");
    log = library.function("nvrtcGetProgramLog");
    cubinSize = library.function("nvrtcGetCUBINSize");
    cubin = library.function("nvrtcGetCUBIN");
    errorString = library.function("nvrtcGetErrorString");
  }

  /// Finds it: where [#VARIABLE] says, else where the system's loader looks, else where NVIDIA's
  /// toolkit lies.
  ///
  /// @throws NativeException when it is nowhere; the message says what to install
  public static Nvrtc find(Map<String, String> environment) {
    String named = environment.get(VARIABLE);
    if (named != null) {
      return open(Path.of(named));
    }
    List<NativeException> failures = new ArrayList<>();
    for (String name : NAMES) {
      try {
        return new Nvrtc(NativeLibrary.open(name));
      } catch (NativeException e) {
        failures.add(e);
      }
    }
    for (Path place : PLACES) {
      try {
        return new Nvrtc(NativeLibrary.open(place));
      } catch (NativeException e) {
        failures.add(e);
      }
    }
    var failure =
        new NativeException(
            "NVRTC (libnvrtc.so)",
            "is not there; install CUDA's toolkit, or the Python package nvidia-cuda-nvrtc and name"
                + " its libnvrtc.so in "
                + VARIABLE);
    failures.forEach(failure::addSuppressed);
    throw failure;
  }

  /// Opens a library file, after the builtins beside it: it asks for them by name when it compiles,
  /// and the system's loader then finds those that are there already.
  public static Nvrtc open(Path library) {
    Path directory = library.toAbsolutePath().getParent();
    if (directory != null && Files.isDirectory(directory)) {
      try (DirectoryStream<Path> builtins = Files.newDirectoryStream(directory, BUILTINS)) {
        builtins.forEach(NativeLibrary::open);
      } catch (IOException e) {
        throw new NativeException(directory.toString(), "cannot be listed", e);
      }
    }
    return new Nvrtc(NativeLibrary.open(library));
  }

  /// Its version, such as `13.0`.
  public String version() {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment both = scratch.allocate(JAVA_INT, 2);
      check(version, (int) version.call(address(both), address(both) + Integer.BYTES));
      return both.get(JAVA_INT, 0) + "." + both.getAtIndex(JAVA_INT, 1);
    }
  }

  /// Compiles CUDA C++ to the machine code of one architecture.
  ///
  /// @param name for messages
  /// @param options as for `nvcc`, the architecture (`--gpu-architecture=sm_90a`) among them
  /// @throws NativeException with the compiler's log when the source is wrong
  public byte[] compile(String source, String name, List<String> options) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment handle = scratch.allocate(JAVA_LONG);
      int status =
          (int)
              createProgram.call(
                  address(handle),
                  address(scratch.allocateFrom(source)),
                  address(scratch.allocateFrom(name)),
                  0,
                  0,
                  0);
      check(createProgram, status);
      long program = handle.get(JAVA_LONG, 0);
      try {
        MemorySegment words = scratch.allocate(JAVA_LONG, Math.max(1, options.size()));
        for (int i = 0; i < options.size(); i++) {
          words.setAtIndex(JAVA_LONG, i, address(scratch.allocateFrom(options.get(i))));
        }
        status = (int) compileProgram.call(program, options.size(), address(words));
        if (status != SUCCESS) {
          throw new NativeException(
              name, "does not compile (%s):%n%s".formatted(text(status), log(program)));
        }
        return bytes(program, cubinSize, cubin, scratch);
      } finally {
        destroyProgram.call(address(handle));
      }
    }
  }

  private String log(long program) {
    try (Arena scratch = Arena.ofConfined()) {
      byte[] bytes = bytes(program, logSize, log, scratch);
      return new String(bytes, StandardCharsets.UTF_8).replace("\0", "");
    }
  }

  private byte[] bytes(long program, NativeFunction size, NativeFunction get, Arena scratch) {
    MemorySegment count = scratch.allocate(JAVA_LONG);
    check(size, (int) size.call(program, address(count)));
    MemorySegment bytes = scratch.allocate(Math.max(1, count.get(JAVA_LONG, 0)));
    check(get, (int) get.call(program, address(bytes)));
    return bytes.toArray(JAVA_BYTE);
  }

  private void check(NativeFunction function, int status) {
    if (status != SUCCESS) {
      throw NativeException.status(function.name(), status, text(status));
    }
  }

  private String text(int status) {
    return NvrtcText.string(errorString.call(status));
  }
}
