package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.memory.HostImages;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Fills an image of weights, and copies to the device each part of it that is there: several
/// threads read files, in the order of the layout, for one alone does not keep a disk busy, and the
/// device copies meanwhile.
final class ImagedWeights implements WeightSink, WeightBuffer.Transfer {
  private static final int READERS = 4;

  /// What one thread reads at a time.
  private static final long PART_BYTES = 8L << 20;

  private final GpuDevice device;
  private final HostImages.Image image;
  private final @Nullable WeightBuffer buffer;
  private final @Nullable CudaStream stream;
  private final ExecutorService readers =
      Executors.newFixedThreadPool(
          READERS, Thread.ofPlatform().name("weft-weights-", 0).daemon().factory());
  private final List<Future<?>> parts = new ArrayList<>();
  private Stage stage = new Stage(0);
  private volatile boolean cancelled;

  /// Parts whose last one says that all have been submitted.
  private static final class Stage {
    private final int index;
    private long end;

    /// Those that are not there yet, and one more for as long as there may be others.
    private final AtomicInteger missing = new AtomicInteger(1);

    Stage(int index) {
      this.index = index;
    }
  }

  /// @param image is closed with this, or when there is none of this
  /// @param buffer that is filled as well; `null` for none
  ImagedWeights(GpuDevice device, HostImages.Image image, @Nullable WeightBuffer buffer) {
    this.device = device;
    this.image = image;
    this.buffer = buffer;
    try {
      stream = buffer == null ? null : new CudaStream(device.context());
    } catch (RuntimeException | Error e) {
      image.close();
      throw e;
    }
  }

  @Override
  public void file(MemorySegment data, long at) {
    split(data, at, (part, to) -> read(() -> put(part, to)));
  }

  @Override
  public void computed(Supplier<MemorySegment> data, long at) {
    read(() -> split(data.get(), at, this::put));
  }

  private void read(Runnable part) {
    Stage its = stage;
    its.missing.incrementAndGet();
    parts.add(
        readers.submit(() -> {
          if (cancelled) {
            throw new CancellationException("the model was closed while it was loaded");
          }
          part.run();
          there(its);
        }));
  }

  @Override
  public void endStage(long end) {
    stage.end = end;
    there(stage);
    stage = new Stage(stage.index + 1);
  }

  private void there(Stage its) {
    if (its.missing.decrementAndGet() == 0 && buffer != null && stream != null) {
      buffer.submitted(its.index, its.end, stream);
    }
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
      stream.copyToDevice(there, buffer.memory().address() + at);
    }
  }

  /// Waits until all is in the image, and on the device.
  @Override
  public void finish() {
    try {
      for (Future<?> part : parts) {
        part.get();
      }
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : new CompletionException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while weights were read", e);
    }
    if (stream != null) {
      stream.synchronize();
    }
    image.filled();
  }

  @Override
  public void cancel() {
    cancelled = true;
  }

  /// Whatever is still read ends first: it writes where others will.
  @Override
  public void close() {
    cancelled = true;
    try (image) {
      readers.close();
      if (stream != null) {
        device.context().bind();
        try (stream) {
          stream.synchronize();
        }
      }
    }
  }
}
