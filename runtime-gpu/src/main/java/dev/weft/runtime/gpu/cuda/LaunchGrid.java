package dev.weft.runtime.gpu.cuda;

/// How many threads run a kernel.
///
/// @param x blocks
/// @param y blocks, of each x
/// @param z blocks, of each y
/// @param threads of a block
/// @param sharedBytes dynamic shared memory of a block
public record LaunchGrid(int x, int y, int z, int threads, int sharedBytes) {
  /// A row of blocks without dynamic shared memory.
  public static LaunchGrid of(int x, int threads) {
    return new LaunchGrid(x, 1, 1, threads, 0);
  }

  public static LaunchGrid of(int x, int y, int threads) {
    return new LaunchGrid(x, y, 1, threads, 0);
  }
}
