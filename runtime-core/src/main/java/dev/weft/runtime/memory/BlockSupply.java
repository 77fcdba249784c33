package dev.weft.runtime.memory;

/// Where an instance's KV blocks come from when those that it has run out: its neighbours on the
/// device, or nowhere. The device's thread asks, between two steps; [#reachable] is asked by any
/// thread.
public interface BlockSupply {
  /// A fixed number of blocks.
  BlockSupply NONE =
      new BlockSupply() {
        @Override
        public int grow(int blocks) {
          return 0;
        }

        @Override
        public int reachable() {
          return 0;
        }
      };

  /// Asks for `blocks` more. Returns how many came, which may be fewer or more: the caller raises
  /// its pool's capacity by as many.
  int grow(int blocks);

  /// Sees to it that the first `blocks` of all blocks that came can be written to; false where that
  /// cannot be. Asked whenever blocks are taken.
  default boolean ready(int blocks) {
    return true;
  }

  /// Blocks that there could be in all, were every neighbour idle: decides whether a sequence can
  /// ever fit.
  int reachable();
}
