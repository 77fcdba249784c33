package dev.weft.runtime.gpu.memory;

import dev.weft.functions.ByteSize;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A bounded number of slabs of pinned memory of the host, for whoever needs them for a while.
/// Pinning one takes some ten milliseconds: a thread of its own does it when the last one is taken,
/// and nobody waits. What was pinned is kept for the next. **thread**: any.
public final class PinnedSlabs implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PinnedSlabs.class);

  private final CudaContext context;
  private final long slabBytes;
  private final int most;
  private final Deque<PinnedBuffer> free = new ArrayDeque<>();
  private int pinned;
  private boolean exhausted;
  private @Nullable Thread pinning;

  /// @param bytes the most that all take; fewer than a slab are none
  public PinnedSlabs(CudaContext context, long bytes, long slabBytes) {
    this.context = context;
    this.slabBytes = slabBytes;
    most = Math.toIntExact(bytes / slabBytes);
  }

  public long slabBytes() {
    return slabBytes;
  }

  /// The most that there can be.
  public long capacityBytes() {
    return most * slabBytes;
  }

  /// Bytes of the host's memory that this has pinned.
  public synchronized long pinnedBytes() {
    return pinned * slabBytes;
  }

  /// Whether there is none to take before one is given back.
  public synchronized boolean full() {
    return free.isEmpty() && (exhausted || pinned == most);
  }

  /// A slab; empty where there is none, and until one has been pinned.
  public synchronized Optional<PinnedBuffer> tryTake() {
    Optional<PinnedBuffer> taken = Optional.ofNullable(free.poll());
    if (free.isEmpty() && !exhausted && pinned < most && pinning == null) {
      pinning = Thread.ofPlatform().name("weft-pin").daemon().start(this::pin);
    }
    return taken;
  }

  private void pin() {
    PinnedBuffer buffer = null;
    String problem = "";
    try {
      context.bind();
      buffer = new PinnedBuffer(context, slabBytes);
    } catch (CudaException e) {
      problem = String.valueOf(e.getMessage());
    }
    synchronized (this) {
      pinning = null;
      if (buffer != null) {
        free.add(buffer);
        pinned++;
        return;
      }
      exhausted = true;
    }
    log.atWarn()
        .addKeyValue("pinned", ByteSize.format(pinnedBytes()))
        .addKeyValue("reason", problem)
        .log("no more memory of the host can be pinned; KV blocks go to the swap file instead");
  }

  /// Takes a slab back that nothing is copied to or from any more.
  public synchronized void giveBack(PinnedBuffer slab) {
    free.add(slab);
  }

  /// Lets go of everything; all slabs have been given back.
  @Override
  public void close() {
    Thread last;
    synchronized (this) {
      exhausted = true;
      last = pinning;
    }
    if (last != null) {
      Threads.join(last);
    }
    synchronized (this) {
      context.bind();
      free.forEach(PinnedBuffer::close);
      free.clear();
      pinned = 0;
    }
  }
}
