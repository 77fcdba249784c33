package dev.weft.runtime.gpu.memory;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.memory.ChunkMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/// Chunks of 2 MiB that the driver allocates without addresses (`cuMemCreate`), and address ranges
/// onto which they are mapped.
///
/// - A chunk's allocation is made when it is first mapped and kept: making one takes longer than
///   mapping it. [#discard] gives nothing back to the driver; it marks the chunk, which is cleared
///   when it is mapped again. Where the driver has no memory for something else, [#trim] gives all
///   of these back at once.
/// - Rights are set for a whole mapped range at once: the driver takes as long for each chunk, but
///   the call itself is saved.
/// - Before something is unmapped, the steps that were submitted have ended, and the copies beside
///   them, but for those that are known not to use it: the driver does not wait for what does.
public final class CudaChunkMemory implements ChunkMemory {
  private static final int LOCATION_DEVICE = 1;
  private static final int ALLOCATION_PINNED = 1;
  private static final int READ_WRITE = 3;

  // CUmemAllocationProp: type, handle types, location (type, id), and 16 bytes that stay zero.
  private static final int PROPERTIES_BYTES = 32;

  // CUmemAccessDesc: location (type, id), flags.
  private static final int ACCESS_BYTES = 12;

  private final CudaContext context;
  private final CudaDriver driver;
  private final CudaStream stream;

  /// What uses chunks: steps and copies.
  private final List<CudaStream> streams;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment properties;
  private final MemorySegment access;
  private final long[] handles;
  private final BitSet dirty = new BitSet();

  /// Fences of which it is not known that they have passed, in order.
  private final ArrayDeque<EventFence> fences = new ArrayDeque<>();

  private boolean closed;

  /// @param bytes of chunks in all, rounded down; they are allocated when they are mapped
  /// @param stream that all steps are submitted to
  public CudaChunkMemory(CudaContext context, CudaStream stream, long bytes) {
    this(context, stream, bytes, List.of());
  }

  /// @param copies whose work may use what is mapped as well
  public CudaChunkMemory(
      CudaContext context, CudaStream stream, long bytes, List<CudaStream> copies) {
    this.context = context;
    this.stream = stream;
    List<CudaStream> all = new ArrayList<>(copies);
    all.addFirst(stream);
    streams = List.copyOf(all);
    driver = context.driver();
    handles = new long[Math.toIntExact(bytes / CHUNK_BYTES)];
    properties = arena.allocate(PROPERTIES_BYTES, Long.BYTES);
    properties.set(JAVA_INT, 0, ALLOCATION_PINNED);
    properties.set(JAVA_INT, 8, LOCATION_DEVICE);
    properties.set(JAVA_INT, 12, context.device());
    access = arena.allocate(ACCESS_BYTES, Integer.BYTES);
    access.set(JAVA_INT, 0, LOCATION_DEVICE);
    access.set(JAVA_INT, 4, context.device());
    access.set(JAVA_INT, 8, READ_WRITE);
  }

  @Override
  public long chunkBytes() {
    return CHUNK_BYTES;
  }

  @Override
  public int chunkCount() {
    return handles.length;
  }

  @Override
  public synchronized long reserve(int chunks) {
    context.bind();
    // An empty range has an address as well, which nobody uses.
    return driver.memAddressReserve(Math.max(1, chunks) * CHUNK_BYTES, CHUNK_BYTES);
  }

  @Override
  public synchronized void free(long address, int chunks) {
    context.bind();
    driver.memAddressFree(address, Math.max(1, chunks) * CHUNK_BYTES);
  }

  @Override
  public synchronized void map(long address, int[] chunks) {
    if (chunks.length == 0) {
      return;
    }
    context.bind();
    int mapped = 0;
    try {
      for (; mapped < chunks.length; mapped++) {
        driver.memMap(address + mapped * CHUNK_BYTES, CHUNK_BYTES, handle(chunks[mapped]));
      }
      driver.memSetAccess(address, chunks.length * CHUNK_BYTES, access);
      for (int i = 0; i < chunks.length; i++) {
        if (dirty.get(chunks[i])) {
          stream.clear(address + i * CHUNK_BYTES, CHUNK_BYTES);
          dirty.clear(chunks[i]);
        }
      }
    } catch (RuntimeException e) {
      if (mapped > 0) {
        driver.memUnmap(address, mapped * CHUNK_BYTES);
      }
      throw e;
    }
  }

  /// New allocations hold what others left there: they are cleared as discarded ones are.
  private long handle(int chunk) {
    if (handles[chunk] == 0) {
      handles[chunk] = driver.memCreate(CHUNK_BYTES, properties);
      dirty.set(chunk);
    }
    return handles[chunk];
  }

  @Override
  public synchronized void unmap(long address, int chunks) {
    if (chunks > 0) {
      context.bind();
      streams.forEach(CudaStream::synchronize);
      driver.memUnmap(address, chunks * CHUNK_BYTES);
    }
  }

  @Override
  public synchronized void unmap(long address, int chunks, Fence unused) {
    if (chunks > 0) {
      unused.await();
      context.bind();
      driver.memUnmap(address, chunks * CHUNK_BYTES);
    }
  }

  @Override
  public synchronized void discard(int[] chunks) {
    Arrays.stream(chunks).forEach(dirty::set);
  }

  /// Gives the driver back what chunks have that are discarded, and returns how many bytes.
  public synchronized long trim() {
    if (closed) {
      return 0;
    }
    context.bind();
    long bytes = 0;
    for (int chunk = 0; chunk < handles.length; chunk++) {
      if (handles[chunk] != 0 && dirty.get(chunk)) {
        driver.memRelease(handles[chunk]);
        handles[chunk] = 0;
        bytes += CHUNK_BYTES;
      }
    }
    return bytes;
  }

  /// Passes with what was submitted to the streams.
  @Override
  public synchronized Fence fence() {
    context.bind();
    while (!fences.isEmpty() && fences.getFirst().passed()) {
      fences.removeFirst();
    }
    var fence = new EventFence(streams.stream().map(this::mark).toList());
    fences.add(fence);
    return fence;
  }

  private CudaEvent mark(CudaStream of) {
    CudaEvent event = CudaEvent.mark(context);
    event.record(of);
    return event;
  }

  private final class EventFence implements Fence {
    private final List<CudaEvent> events;
    private boolean passed;

    EventFence(List<CudaEvent> events) {
      this.events = events;
    }

    @Override
    public synchronized boolean passed() {
      if (!passed) {
        context.bind();
        if (events.stream().allMatch(CudaEvent::passed)) {
          pass();
        }
      }
      return passed;
    }

    @Override
    public synchronized void await() {
      if (!passed) {
        context.bind();
        events.forEach(CudaEvent::await);
        pass();
      }
    }

    private void pass() {
      passed = true;
      events.forEach(CudaEvent::close);
    }
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    context.bind();
    fences.forEach(EventFence::await);
    stream.synchronize();
    for (long handle : handles) {
      if (handle != 0) {
        driver.memRelease(handle);
      }
    }
    arena.close();
  }
}
