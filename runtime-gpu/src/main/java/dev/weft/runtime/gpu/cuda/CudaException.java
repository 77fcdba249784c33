package dev.weft.runtime.gpu.cuda;

import java.util.Set;

/// A call of the CUDA driver failed. The message says which, with the driver's own name and words
/// for why.
public final class CudaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /// Errors after which every later call of the process fails as well: a kernel went wrong, or the
  /// device did (`cuda.h` 13.0, the statuses that say "the process must be terminated").
  private static final Set<Integer> STICKY =
      Set.of(214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 720, 721);

  private static final int OUT_OF_MEMORY = 2;

  private final int status;

  CudaException(String call, int status, String name, String words) {
    super("%s failed with %s (%d): %s".formatted(call, name, status, words));
    this.status = status;
  }

  /// `CUresult`.
  public int status() {
    return status;
  }

  /// Whether nothing more can be done with the device in this process: it has to end.
  public boolean sticky() {
    return STICKY.contains(status);
  }

  public boolean outOfMemory() {
    return status == OUT_OF_MEMORY;
  }
}
