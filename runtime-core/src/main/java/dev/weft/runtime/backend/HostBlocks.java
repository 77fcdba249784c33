package dev.weft.runtime.backend;

/// Places in the host's memory, of a block each, to which a decoder's device copies KV blocks by
/// itself, and back, while steps run and nobody waits.
///
/// Whatever is submitted to the device after a copy has begun, a step among it, waits there for the
/// copies of the blocks that it uses: a block may be given to others at once, and so may a place.
/// Only the device's thread uses it; its decoder closes it.
public interface HostBlocks {
  int NO_PLACE = -1;

  /// Of a device that has no such memory.
  HostBlocks NONE =
      new HostBlocks() {
        @Override
        public long capacityBytes() {
          return 0;
        }

        @Override
        public boolean full() {
          return true;
        }

        @Override
        public int tryTake() {
          return NO_PLACE;
        }

        @Override
        public void release(int place) {
          throw new IllegalStateException("nothing was taken");
        }

        @Override
        public void save(int block, int place) {
          throw new IllegalStateException("nothing was taken");
        }

        @Override
        public void load(int place, int block) {
          throw new IllegalStateException("nothing was taken");
        }

        @Override
        public int underWay() {
          return 0;
        }

        @Override
        public boolean arriving(int block) {
          return false;
        }
      };

  /// The most that all decoders of the device may have together.
  long capacityBytes();

  /// Whether there is no place to take before one is released.
  boolean full();

  /// A place that nobody has, or [#NO_PLACE]. Memory that is missing, and may be had, is got
  /// meanwhile, for those who ask later.
  int tryTake();

  /// Gives a place back.
  void release(int place);

  /// Begins to copy a block to a place. When it throws, nothing is copied, and the block is as it
  /// was.
  void save(int block, int place);

  /// Begins to copy what a place holds to a block. When it throws, what the block holds is of no
  /// use.
  void load(int place, int block);

  /// Copies that have not ended yet.
  int underWay();

  /// Whether what was loaded into this block is still under way.
  boolean arriving(int block);
}
