package dev.weft.runtime.cpu.memory;

import dev.weft.runtime.memory.ChunkMemory;
import java.util.stream.IntStream;

/// Chunks of a file that lies in memory (`memfd_create`): mapping a chunk shows its part of the
/// file at an address, so what it holds moves from one owner to another without being copied.
///
/// - A reserved range is a mapping that nobody may touch; unmapping puts that mapping back.
/// - The file's pages outlive their mappings: only a hole in the file frees them ([#discard]).
/// - Every stretch of chunks that follow each other in the file and in addresses is one mapping of
///   the process, of which Linux allows 65,530 (`vm.max_map_count`): 128 GiB of scattered chunks.
///   It merges neighbours by itself.
public final class MemoryFile implements ChunkMemory {
  private final int file;
  private final int chunkCount;
  private boolean closed;

  /// A memory of `bytes`, rounded down to chunks; it takes none until chunks are touched.
  public MemoryFile(long bytes) {
    chunkCount = Math.toIntExact(bytes / CHUNK_BYTES);
    file = Libc.memoryFile("weft-chunks", chunkCount * CHUNK_BYTES);
  }

  @Override
  public long chunkBytes() {
    return CHUNK_BYTES;
  }

  @Override
  public int chunkCount() {
    return chunkCount;
  }

  /// Ranges begin at a large page, so that chunks can be one.
  @Override
  public long reserve(int chunks) {
    long bytes = chunks * CHUNK_BYTES;
    long whole = Libc.map(0, bytes + CHUNK_BYTES, Libc.PROT_NONE, reservedFlags(), -1, 0);
    long address = Math.ceilDiv(whole, CHUNK_BYTES) * CHUNK_BYTES;
    if (address > whole) {
      Libc.unmap(whole, address - whole);
    }
    long end = whole + bytes + CHUNK_BYTES;
    Libc.unmap(address + bytes, end - (address + bytes));
    return address;
  }

  private static int reservedFlags() {
    return Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE;
  }

  @Override
  public void free(long address, int chunks) {
    if (chunks > 0) {
      Libc.unmap(address, chunks * CHUNK_BYTES);
    }
  }

  @Override
  public void map(long address, int[] chunks) {
    int done = 0;
    try {
      while (done < chunks.length) {
        int run = run(chunks, done);
        long at = address + done * CHUNK_BYTES;
        Libc.map(
            at,
            run * CHUNK_BYTES,
            Libc.PROT_READ_WRITE,
            Libc.MAP_SHARED | Libc.MAP_FIXED,
            file,
            chunks[done] * CHUNK_BYTES);
        Libc.advise(at, run * CHUNK_BYTES, Libc.MADV_HUGEPAGE);
        Libc.advise(at, run * CHUNK_BYTES, Libc.MADV_DONTDUMP);
        done += run;
      }
    } catch (RuntimeException e) {
      unmap(address, chunks.length);
      throw e;
    }
  }

  /// How many chunks from `from` on follow each other in the file.
  private static int run(int[] chunks, int from) {
    int end = from + 1;
    while (end < chunks.length && chunks[end] == chunks[end - 1] + 1) {
      end++;
    }
    return end - from;
  }

  @Override
  public void unmap(long address, int chunks) {
    if (chunks > 0) {
      Libc.map(
          address, chunks * CHUNK_BYTES, Libc.PROT_NONE, reservedFlags() | Libc.MAP_FIXED, -1, 0);
    }
  }

  @Override
  public void discard(int[] chunks) {
    int[] sorted = IntStream.of(chunks).sorted().toArray();
    for (int done = 0; done < sorted.length; ) {
      int run = run(sorted, done);
      Libc.punchHole(file, sorted[done] * CHUNK_BYTES, run * CHUNK_BYTES);
      done += run;
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      Libc.close(file);
    }
  }
}
