package dev.weft.runtime.cpu.onednn;

import dev.weft.runtime.foreign.NativeException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// oneDNN on the CPU. Thread-safe; closed after all models that were made with it.
public final class OneDnnEngine implements AutoCloseable {
  private final OneDnn library;
  private final MemorySegment engine;

  private OneDnnEngine(OneDnn library) {
    this.library = library;
    engine = library.engineCreate();
  }

  /// @param directory holds `libdnnl.so.3` and `libgomp.so.1`
  /// @throws NativeException when they cannot be loaded
  public static OneDnnEngine open(Path directory) {
    return new OneDnnEngine(new OneDnn(directory));
  }

  OneDnn library() {
    return library;
  }

  MemorySegment address() {
    return engine;
  }

  @Override
  public void close() {
    library.engineDestroy(engine);
  }
}
