package dev.weft.runtime.memory;

/// Blocks that lie elsewhere from now on: what was in `from[i]` belongs into `to[i]`. No block is
/// in both, and none is there twice, so the order does not matter.
@SuppressWarnings("ArrayRecordComponent")
public record BlockMoves(int[] from, int[] to) {
  public BlockMoves {
    if (from.length != to.length) {
      throw new IllegalArgumentException(
          "%d blocks cannot move to %d places".formatted(from.length, to.length));
    }
  }

  public int count() {
    return from.length;
  }
}
