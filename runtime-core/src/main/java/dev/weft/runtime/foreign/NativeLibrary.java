package dev.weft.runtime.foreign;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.util.Optional;

/// A loaded shared library, and the one place that links: bindings get their method handles here.
/// Libraries stay loaded for the life of the process.
@SuppressWarnings("restricted")
public final class NativeLibrary {
  /// Room for what [#errno] reads.
  public static final StructLayout ERRNO = Linker.Option.captureStateLayout();

  private static final VarHandle ERRNO_FIELD =
      ERRNO.varHandle(MemoryLayout.PathElement.groupElement("errno"));

  private final String name;
  private final SymbolLookup symbols;

  private NativeLibrary(String name, SymbolLookup symbols) {
    this.name = name;
    this.symbols = symbols;
  }

  /// Loads a library that the system finds by name, such as `libcuda.so.1`.
  ///
  /// @throws NativeException when it is absent, or native access is denied to this process
  public static NativeLibrary open(String name) {
    try {
      return new NativeLibrary(name, SymbolLookup.libraryLookup(name, Arena.global()));
    } catch (IllegalArgumentException | IllegalCallerException e) {
      throw unloadable(name, e);
    }
  }

  /// Loads a library file.
  ///
  /// @throws NativeException when it cannot be loaded: absent, of another machine, or missing a
  ///   library that it needs
  public static NativeLibrary open(Path file) {
    String name = String.valueOf(file.getFileName());
    try {
      return new NativeLibrary(name, SymbolLookup.libraryLookup(file, Arena.global()));
    } catch (IllegalArgumentException | IllegalCallerException e) {
      throw unloadable(name, e);
    }
  }

  private static NativeException unloadable(String name, RuntimeException cause) {
    String reason =
        cause instanceof IllegalCallerException
            ? "native access is denied; run with --enable-native-access=ALL-UNNAMED"
            : String.valueOf(cause.getMessage());
    return new NativeException(name, "cannot be loaded: " + reason, cause);
  }

  /// The library's name, for messages.
  public String name() {
    return name;
  }

  /// Finds a function of up to six whole numbers and addresses.
  ///
  /// @throws NativeException when the library does not have it
  public NativeFunction function(String function) {
    return new NativeFunction(function, require(function));
  }

  /// Links a function of any kind.
  ///
  /// @throws NativeException when the library does not have it
  public MethodHandle function(String function, MemoryLayout result, MemoryLayout... parameters) {
    return Linker.nativeLinker()
        .downcallHandle(require(function), FunctionDescriptor.of(result, parameters));
  }

  /// What [NativeFunction#callWithErrno] left in `state`.
  public static int errno(MemorySegment state) {
    return (int) ERRNO_FIELD.get(state, 0L);
  }

  /// The address of a function or variable, for handing on to other native code.
  public Optional<MemorySegment> find(String symbol) {
    return symbols.find(symbol);
  }

  private MemorySegment require(String function) {
    return find(function)
        .orElseThrow(() -> new NativeException(name, "has no function '%s'".formatted(function)));
  }
}
