package dev.weft.runtime.memory;

import java.util.Arrays;
import java.util.NavigableMap;
import java.util.TreeMap;

/// Chunks without memory behind them, for a backend that keeps its KV elsewhere
/// (`ReferenceBackend`: in arrays). Addresses are numbers; what is mapped where is written down,
/// and what no device could do is refused.
public final class PlainChunkMemory implements ChunkMemory {
  private static final int UNMAPPED = -1;

  private final long chunkBytes;
  private final boolean[] mapped;
  private final NavigableMap<Long, int[]> ranges = new TreeMap<>();
  private long nextAddress;

  public PlainChunkMemory(long chunkBytes, long capacityBytes) {
    if (chunkBytes < 1 || capacityBytes < 0) {
      throw new IllegalArgumentException(
          "%d bytes in chunks of %d".formatted(capacityBytes, chunkBytes));
    }
    this.chunkBytes = chunkBytes;
    mapped = new boolean[Math.toIntExact(capacityBytes / chunkBytes)];
    nextAddress = chunkBytes;
  }

  @Override
  public long chunkBytes() {
    return chunkBytes;
  }

  @Override
  public int chunkCount() {
    return mapped.length;
  }

  @Override
  public synchronized long reserve(int chunks) {
    int[] range = new int[chunks];
    Arrays.fill(range, UNMAPPED);
    long address = nextAddress;
    // One chunk of nothing between two ranges.
    nextAddress += (chunks + 1) * chunkBytes;
    ranges.put(address, range);
    return address;
  }

  @Override
  public synchronized void free(long address, int chunks) {
    int[] range = ranges.get(address);
    if (range == null || range.length != chunks) {
      throw new IllegalStateException("no range of %d chunks at %d".formatted(chunks, address));
    }
    for (int chunk : range) {
      if (chunk != UNMAPPED) {
        throw new IllegalStateException("chunk %d is still mapped".formatted(chunk));
      }
    }
    ranges.remove(address);
  }

  @Override
  public synchronized void map(long address, int[] chunks) {
    Place place = place(address, chunks.length);
    for (int i = 0; i < chunks.length; i++) {
      if (mapped[chunks[i]] || place.range[place.first + i] != UNMAPPED) {
        throw new IllegalStateException("chunk %d or its place is mapped".formatted(chunks[i]));
      }
    }
    for (int i = 0; i < chunks.length; i++) {
      mapped[chunks[i]] = true;
      place.range[place.first + i] = chunks[i];
    }
  }

  @Override
  public synchronized void unmap(long address, int chunks) {
    Place place = place(address, chunks);
    for (int i = place.first; i < place.first + chunks; i++) {
      if (place.range[i] == UNMAPPED) {
        throw new IllegalStateException("nothing is mapped at %d".formatted(address));
      }
      mapped[place.range[i]] = false;
      place.range[i] = UNMAPPED;
    }
  }

  @Override
  public synchronized void discard(int[] chunks) {
    for (int chunk : chunks) {
      if (mapped[chunk]) {
        throw new IllegalStateException("chunk %d is mapped".formatted(chunk));
      }
    }
  }

  @SuppressWarnings("ArrayRecordComponent")
  private record Place(int[] range, int first) {}

  private Place place(long address, int chunks) {
    var entry = ranges.floorEntry(address);
    if (entry == null || (address - entry.getKey()) % chunkBytes != 0) {
      throw new IllegalStateException("%d is no chunk of a range".formatted(address));
    }
    int first = Math.toIntExact((address - entry.getKey()) / chunkBytes);
    if (first + chunks > entry.getValue().length) {
      throw new IllegalStateException(
          "%d chunks at %d are outside of their range".formatted(chunks, address));
    }
    return new Place(entry.getValue(), first);
  }

  @Override
  public void close() {}
}
