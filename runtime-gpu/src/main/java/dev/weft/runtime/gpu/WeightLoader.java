package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.memory.HostImages;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// Brings weights onto the device, by way of an image of them that stays in the host's memory,
/// where there is room for one. **thread**: any.
final class WeightLoader {
  private final GpuDevice device;
  private final HostImages images;
  private final LongSupplier unusedChunks;

  /// Gives each tensor of a model its place, and returns what is to be known of that; asked more
  /// than once.
  @FunctionalInterface
  interface Model<T> {
    T lay(WeightLayout layout);
  }

  /// @param unusedChunks gives chunks that nobody has back to the device, and returns their bytes
  WeightLoader(GpuDevice device, HostImages images, LongSupplier unusedChunks) {
    this.device = device;
    this.images = images;
    this.unusedChunks = unusedChunks;
  }

  /// What a model takes on the device.
  static long bytes(Weights weights, Model<?> model) {
    WeightLayout counting = WeightLayout.counting(weights);
    model.lay(counting);
    return counting.bytes();
  }

  /// Memory of the device. Chunks that nobody has are kept; where the rest does not suffice they
  /// go.
  DeviceBuffer allocate(long bytes) {
    device.context().bind();
    try {
      return new DeviceBuffer(device.context(), bytes);
    } catch (CudaException e) {
      if (!e.outOfMemory() || unusedChunks.getAsLong() == 0) {
        throw e;
      }
      return new DeviceBuffer(device.context(), bytes);
    }
  }

  /// Loads a model, which closes the buffer that it lies in.
  <T> T load(Weights weights, Model<T> model) {
    DeviceBuffer buffer = allocate(bytes(weights, model));
    try {
      return load(weights, model, buffer);
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  private <T> T load(Weights weights, Model<T> model, DeviceBuffer buffer) {
    List<SourceFile> files = weights.files();
    if (!files.isEmpty()) {
      Optional<HostImages.Image> opened = open(files, buffer.byteSize());
      if (opened.isPresent()) {
        try (HostImages.Image image = opened.get()) {
          return image.whole()
              ? copied(weights, model, image, buffer)
              : filled(weights, model, image, buffer);
        }
      }
    }
    try (var staged = new StagedWeights(device, buffer)) {
      return model.lay(new WeightLayout(weights, buffer, staged));
    }
  }

  private Optional<HostImages.Image> open(List<SourceFile> files, long bytes) {
    try {
      return images.open(files, bytes);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private static IllegalStateException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new IllegalStateException("interrupted while weights were read", e);
  }

  private <T> T copied(
      Weights weights, Model<T> model, HostImages.Image image, DeviceBuffer buffer) {
    try (var stream = new CudaStream(device.context())) {
      image.copy(stream, buffer.address(), buffer.byteSize());
      stream.synchronize();
    }
    return model.lay(new WeightLayout(weights, buffer, null));
  }

  private <T> T filled(
      Weights weights, Model<T> model, HostImages.Image image, @Nullable DeviceBuffer buffer) {
    try (var sink = new ImagedWeights(device, image, buffer)) {
      T laid = model.lay(new WeightLayout(weights, buffer, sink));
      sink.finish();
      return laid;
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /// Makes an image of a model whose files are known, and nothing on the device; false where there
  /// is no room for it.
  boolean bring(Weights weights, Model<?> model) {
    device.context().bind();
    Optional<HostImages.Image> opened = open(weights.files(), bytes(weights, model));
    if (opened.isPresent()) {
      try (HostImages.Image image = opened.get()) {
        if (!image.whole()) {
          filled(weights, model, image, null);
        }
      }
    }
    return opened.isPresent();
  }
}
