package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.memory.HostImages;
import java.util.List;

/// Copies an image that is whole to the device: all copies are submitted at once, and the image
/// stays open until they have ended.
final class ImageCopies implements WeightBuffer.Transfer {
  private final GpuDevice device;
  private final HostImages.Image image;
  private final CudaStream stream;

  /// @param image is closed with this, or when there is none of this
  ImageCopies(GpuDevice device, HostImages.Image image) {
    this.device = device;
    this.image = image;
    try {
      stream = new CudaStream(device.context());
    } catch (RuntimeException | Error e) {
      image.close();
      throw e;
    }
  }

  /// @param ends of the stages
  void submit(WeightBuffer buffer, List<Long> ends) {
    long from = 0;
    for (int stage = 0; stage < ends.size(); stage++) {
      image.copy(stream, from, ends.get(stage), buffer.memory().address());
      buffer.submitted(stage, ends.get(stage), stream);
      from = ends.get(stage);
    }
  }

  @Override
  public void finish() {
    stream.synchronize();
  }

  @Override
  public void cancel() {}

  @Override
  public void close() {
    device.context().bind();
    try (image;
        stream) {
      stream.synchronize();
    }
  }
}
