package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.memory.HostImages;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/// Fills an image of weights, and copies to the device each part of it that is there: several
/// threads read files, for one alone does not keep a disk busy, and the device copies meanwhile.
final class ImagedWeights implements WeightSink, AutoCloseable {
  private static final int READERS = 4;

  /// What one thread reads at a time.
  private static final long PART_BYTES = 8L << 20;

  private final GpuDevice device;
  private final HostImages.Image image;
  private final @Nullable DeviceBuffer buffer;
  private final @Nullable CudaStream stream;
  private final ExecutorService readers =
      Executors.newFixedThreadPool(
          READERS, Thread.ofPlatform().name("weft-weights-", 0).daemon().factory());
  private final List<Future<?>> parts = new ArrayList<>();

  /// @param buffer that is filled as well; `null` for none
  ImagedWeights(GpuDevice device, HostImages.Image image, @Nullable DeviceBuffer buffer) {
    this.device = device;
    this.image = image;
    this.buffer = buffer;
    stream = buffer == null ? null : new CudaStream(device.context());
  }

  @Override
  public void file(MemorySegment data, long at) {
    split(data, at, (part, to) -> parts.add(readers.submit(() -> put(part, to))));
  }

  @Override
  public void computed(MemorySegment data, long at) {
    split(data, at, this::put);
  }

  private interface Part {
    void take(MemorySegment data, long at);
  }

  /// None straddles two slabs.
  private void split(MemorySegment data, long at, Part part) {
    long done = 0;
    while (done < data.byteSize()) {
      long count = Math.min(data.byteSize() - done, Math.min(PART_BYTES, image.run(at + done)));
      part.take(data.asSlice(done, count), at + done);
      done += count;
    }
  }

  private void put(MemorySegment data, long at) {
    MemorySegment there = image.fill(at, data);
    if (buffer != null && stream != null) {
      device.context().bind();
      stream.copyToDevice(there, buffer.address() + at);
    }
  }

  /// Waits until all is in the image, and on the device; throws what went wrong of it.
  void finish() throws InterruptedException {
    try {
      for (Future<?> part : parts) {
        part.get();
      }
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : new CompletionException(e);
    }
    if (stream != null) {
      stream.synchronize();
    }
    image.filled();
  }

  /// Whatever is still read ends first: it writes where others will.
  @Override
  public void close() {
    parts.forEach(part -> part.cancel(false));
    readers.close();
    if (stream != null) {
      device.context().bind();
      try {
        stream.synchronize();
      } finally {
        stream.close();
      }
    }
  }
}
