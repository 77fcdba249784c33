package dev.weft.runtime.memory;

/// The memory of one device that owners pass to each other, in chunks of one size, and address
/// ranges onto which chunks are mapped. Addresses are opaque: they mean something to the device's
/// kernels alone.
///
/// On a CPU this is a `memfd` and `mmap`, on a GPU the driver's virtual memory management; a
/// backend that keeps KV elsewhere has [PlainChunkMemory]. Thread-safe; but no step that uses a
/// chunk may run while it is unmapped.
///
/// What it asks of the caller: a chunk is mapped at one place at most, and a range is freed with
/// nothing mapped in it. [ChunkPool] and [VirtualTensor] see to both.
public interface ChunkMemory extends AutoCloseable {
  /// The size of a chunk where hardware has a say: what a large page is, and what CUDA maps.
  long CHUNK_BYTES = 2L << 20;

  long chunkBytes();

  /// Chunks are numbered from 0 up to this. They take memory only while they have been mapped and
  /// not been discarded since.
  int chunkCount();

  /// Reserves addresses for so many chunks, aligned to a chunk, nothing mapped.
  long reserve(int chunks);

  /// Gives back a range as [#reserve] returned it.
  void free(long address, int chunks);

  /// Maps `chunks`, in this order, from `address` onward. When it throws, none of them is mapped. A
  /// chunk holds what it held when it was unmapped, or zeros after [#discard].
  void map(long address, int[] chunks);

  /// Unmaps so many chunks from `address` onward, once all that was submitted has ended; what they
  /// hold stays.
  void unmap(long address, int chunks);

  /// The same where nothing that was submitted after `unused` uses them: waits for no more.
  default void unmap(long address, int chunks, Fence unused) {
    unused.await();
    unmap(address, chunks);
  }

  /// The system has the memory of these unmapped chunks back.
  void discard(int[] chunks);

  /// A mark behind all steps, and copies beside them, that were submitted up to now. A chunk that
  /// is unmapped is another's only after it. Where steps are synchronous, that is at once.
  default Fence fence() {
    return Fence.PASSED;
  }

  @Override
  void close();

  /// See [#fence].
  interface Fence {
    Fence PASSED =
        new Fence() {
          @Override
          public boolean passed() {
            return true;
          }

          @Override
          public void await() {}
        };

    boolean passed();

    /// Returns once it has passed.
    void await();
  }
}
