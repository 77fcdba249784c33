package dev.weft.runtime.memory;

/// Memory for what a step computes, of one executable. All executables of a device compute in the
/// same memory, one step after the other: what a step leaves there is nobody's.
///
/// Only the device's thread acquires. Whoever compiles an executable gives it one, and the
/// executable closes it.
public interface Scratch extends AutoCloseable {
  /// Makes `bytes` writable for the next step, and returns where they begin: at a chunk. They stay
  /// mapped when the step is over, until others need them. Throws [IllegalStateException] when
  /// there are not so many, which cannot be up to the number that it was opened for.
  long acquire(long bytes);

  @Override
  void close();

  /// The memory of one executable that shares with nobody: a tensor whose chunks are all mapped.
  static Scratch of(VirtualTensor whole) {
    return new Scratch() {
      @Override
      public long acquire(long bytes) {
        if (bytes > whole.mappedBytes()) {
          throw new IllegalStateException(
              "a step needs %d bytes of %d".formatted(bytes, whole.mappedBytes()));
        }
        return whole.address();
      }

      @Override
      public void close() {
        whole.close();
      }
    };
  }
}
