package dev.weft.runtime.memory;

/// Where contents of KV blocks go that their place is taken from: a slower memory, such as a file.
/// Used by one thread.
public interface BlockStore {
  /// Keeps nothing.
  BlockStore NONE =
      new BlockStore() {
        @Override
        public int save(int block, int index) {
          return NOT_SAVED;
        }

        @Override
        public boolean load(int slot, int block) {
          throw new IllegalStateException("nothing was saved");
        }

        @Override
        public void drop(int slot) {
          throw new IllegalStateException("nothing was saved");
        }
      };

  int NOT_SAVED = -1;

  /// Copies the contents of a block, and returns a name for them; or [#NOT_SAVED] when there is no
  /// room, computing them again costs less, or it failed. The block may be written to when this
  /// returns.
  ///
  /// @param index of the block in its text: what computing it again costs depends on it
  int save(int block, int index);

  /// Whether nothing can be saved before something is dropped.
  default boolean full() {
    return false;
  }

  /// As [#save], for a block whose place is not needed yet, and only while that takes nothing from
  /// those whose place is, nor from what comes back. What is refused now may be asked again.
  default int saveAhead(int block, int index) {
    return NOT_SAVED;
  }

  /// Asks for saved contents that are not needed yet, while that takes nothing from others. Returns
  /// whether more may be asked for.
  default boolean fetchAhead(int slot) {
    return false;
  }

  /// Whether [#load] would not wait. What is far away is asked for by this, and comes by and by.
  default boolean ready(int slot) {
    return true;
  }

  /// Copies saved contents to a block and forgets them. Returns false when it failed; they are
  /// forgotten all the same.
  boolean load(int slot, int block);

  /// Whether what was loaded into a block is still on its way: a step that reads it waits for that.
  default boolean arriving(int block) {
    return false;
  }

  /// Forgets saved contents.
  void drop(int slot);
}
