package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.memory.HostImages;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;

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

  /// Begins to load a model, which closes the buffer that it lies in. Where the host's memory has
  /// room for an image, weights are still on their way when this returns.
  <T> T load(Weights weights, Model<T> model) {
    var buffer = new WeightBuffer(device, allocate(bytes(weights, model)));
    try {
      return load(weights, model, buffer);
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  private <T> T load(Weights weights, Model<T> model, WeightBuffer buffer) {
    Optional<HostImages.Image> image = open(weights.files(), buffer.memory().byteSize());
    if (image.isPresent()) {
      return image.get().whole()
          ? copied(weights, model, image.get(), buffer)
          : filled(weights, model, image.get(), buffer);
    }
    try (var staged = new StagedWeights(device, buffer.memory())) {
      return model.lay(new WeightLayout(weights, buffer, staged));
    }
  }

  private Optional<HostImages.Image> open(List<SourceFile> files, long bytes) {
    try {
      return files.isEmpty() ? Optional.empty() : images.open(files, bytes);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while weights were read", e);
    }
  }

  private <T> T copied(
      Weights weights, Model<T> model, HostImages.Image image, WeightBuffer buffer) {
    var copies = new ImageCopies(device, image);
    try {
      var layout = new WeightLayout(weights, buffer, null);
      T laid = model.lay(layout);
      copies.submit(buffer, layout.stageEnds());
      buffer.arrive(copies);
      return laid;
    } catch (RuntimeException | Error e) {
      copies.close();
      throw e;
    }
  }

  private <T> T filled(
      Weights weights, Model<T> model, HostImages.Image image, WeightBuffer buffer) {
    var filling = new ImagedWeights(device, image, buffer);
    try {
      T laid = model.lay(new WeightLayout(weights, buffer, filling));
      buffer.arrive(filling);
      return laid;
    } catch (RuntimeException | Error e) {
      filling.close();
      throw e;
    }
  }

  /// Makes an image of a model whose files are known, and nothing on the device; false where there
  /// is no room for it.
  boolean bring(Weights weights, Model<?> model) {
    device.context().bind();
    Optional<HostImages.Image> opened = open(weights.files(), bytes(weights, model));
    if (opened.isEmpty()) {
      return false;
    }
    HostImages.Image image = opened.get();
    if (image.whole()) {
      image.close();
      return true;
    }
    try (var filling = new ImagedWeights(device, image, null)) {
      model.lay(new WeightLayout(weights, null, filling));
      filling.finish();
    }
    return true;
  }
}
