package dev.weft.runtime.gpu.memory;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.weft.functions.ByteSize;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import dev.weft.runtime.weights.SourceFile;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Weights of models as they lie on the device, in pinned memory of the host, by the files that
/// they were read from. There is room for a number of slabs: a new image takes them from those that
/// were used longest ago. Slabs are pinned when they are first needed and kept, for pinning takes
/// longer than reading. **thread**: any.
public final class HostImages implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(HostImages.class);

  private final CudaContext context;
  private final long slabBytes;
  private final int mostSlabs;
  private final Deque<PinnedBuffer> free = new ArrayDeque<>();

  /// In the order in which they were used last.
  private final Map<List<SourceFile>, Image> images = new LinkedHashMap<>(16, 0.75f, true);

  /// The files of those that have all bytes: to be asked for while others are made room for.
  private final Set<List<SourceFile>> whole = ConcurrentHashMap.newKeySet();

  private final LongAdder filled = new LongAdder();
  private int pinned;

  /// @param bytes the most that all take; fewer than a slab keep none
  public HostImages(CudaContext context, long bytes, long slabBytes) {
    this.context = context;
    this.slabBytes = slabBytes;
    mostSlabs = Math.toIntExact(bytes / slabBytes);
  }

  private long slabs(long bytes) {
    return Math.ceilDiv(bytes, slabBytes);
  }

  /// Whether there is an image of these files, all of it. Returns at once.
  public boolean has(List<SourceFile> files) {
    return whole.contains(files);
  }

  /// Bytes that were read into images since the start.
  public long filledBytes() {
    return filled.sum();
  }

  /// Bytes of the host's memory that this has pinned.
  public synchronized long pinnedBytes() {
    return pinned * slabBytes;
  }

  /// The image of these files, whose slabs stay its own until it is closed. It may have to be
  /// filled ([Image#whole]); who opens it meanwhile waits for that. Empty where there is no room.
  public synchronized Optional<Image> open(List<SourceFile> files, long bytes)
      throws InterruptedException {
    Image known = images.get(files);
    while (known != null && !known.whole()) {
      wait();
      known = images.get(files);
    }
    if (known == null) {
      Optional<List<PinnedBuffer>> slabs = take(Math.toIntExact(slabs(bytes)));
      if (slabs.isEmpty()) {
        return Optional.empty();
      }
      known = new Image(files, slabs.get());
      images.put(files, known);
    }
    known.users++;
    return Optional.of(known);
  }

  private Optional<List<PinnedBuffer>> take(int count) {
    if (count > mostSlabs || !makeFree(count)) {
      return Optional.empty();
    }
    while (free.size() < count) {
      try {
        context.bind();
        free.add(new PinnedBuffer(context, slabBytes));
        pinned++;
      } catch (CudaException e) {
        if (!e.outOfMemory()) {
          throw e;
        }
        log.atWarn()
            .addKeyValue("pinned", ByteSize.format(pinnedBytes()))
            .addKeyValue("reason", e.getMessage())
            .log("the host has no more memory for weights");
        return Optional.empty();
      }
    }
    List<PinnedBuffer> taken = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      taken.add(free.remove());
    }
    return Optional.of(taken);
  }

  /// Lets the images go that were used longest ago, but none that is open; false, and none has
  /// gone, where that does not suffice.
  private boolean makeFree(int count) {
    int there = free.size() + mostSlabs - pinned;
    List<Image> leave = new ArrayList<>();
    for (Iterator<Image> each = images.values().iterator(); each.hasNext() && there < count; ) {
      Image image = each.next();
      if (image.users == 0) {
        leave.add(image);
        there += image.slabs.size();
      }
    }
    if (there < count) {
      return false;
    }
    leave.forEach(this::drop);
    return true;
  }

  private void drop(Image image) {
    images.remove(image.files);
    whole.remove(image.files);
    free.addAll(image.slabs);
  }

  /// Lets go of everything; no image may be open.
  @Override
  public synchronized void close() {
    context.bind();
    List.copyOf(images.values()).forEach(this::drop);
    free.forEach(PinnedBuffer::close);
    free.clear();
    pinned = 0;
  }

  /// One model's. It is to be closed by each who opened it.
  public final class Image implements AutoCloseable {
    private final List<SourceFile> files;
    private final List<PinnedBuffer> slabs;
    private int users;

    private Image(List<SourceFile> files, List<PinnedBuffer> slabs) {
      this.files = files;
      this.slabs = slabs;
    }

    /// Whether it has all bytes. Otherwise its only user fills it.
    public boolean whole() {
      return whole.contains(files);
    }

    /// Says that it has been filled.
    public void filled() {
      synchronized (HostImages.this) {
        whole.add(files);
        HostImages.this.notifyAll();
      }
    }

    /// Bytes from `from` on that lie one after the other: up to the end of a slab.
    public long run(long from) {
      return slabBytes - from % slabBytes;
    }

    /// Fills a part of one slab, and returns where it lies.
    public MemorySegment fill(long at, MemorySegment data) {
      MemorySegment part = part(at, data.byteSize());
      MemorySegment.copy(data, JAVA_BYTE, 0, part, JAVA_BYTE, 0, data.byteSize());
      filled.add(data.byteSize());
      return part;
    }

    private MemorySegment part(long at, long bytes) {
      return slabs.get((int) (at / slabBytes)).segment().asSlice(at % slabBytes, bytes);
    }

    /// Submits copies to the device, where the image's first byte is to lie at `address`.
    ///
    /// @param end of what is copied, which begins at `from`
    public void copy(CudaStream stream, long from, long end, long address) {
      for (long at = from; at < end; at += run(at)) {
        stream.copyToDevice(part(at, Math.min(run(at), end - at)), address + at);
      }
    }

    /// What is not whole by now is of no use to anybody.
    @Override
    public void close() {
      synchronized (HostImages.this) {
        users--;
        if (!whole()) {
          drop(this);
          HostImages.this.notifyAll();
        }
      }
    }
  }
}
