package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;

/// Copies files to the device by way of pinned memory, half of which is read into while the other
/// half is on its way.
final class StagedWeights implements WeightSink, AutoCloseable {
  private static final long HALF_BYTES = 8L << 20;

  private final GpuDevice device;
  private final DeviceBuffer buffer;
  private final PinnedBuffer pinned;
  private final CudaStream stream;
  private int half;

  /// @param buffer that is filled
  StagedWeights(GpuDevice device, DeviceBuffer buffer) {
    this.device = device;
    this.buffer = buffer;
    pinned = new PinnedBuffer(device.context(), 2 * HALF_BYTES);
    stream = new CudaStream(device.context());
  }

  @Override
  public void file(MemorySegment data, long at) {
    for (long done = 0; done < data.byteSize(); done += HALF_BYTES) {
      long count = Math.min(HALF_BYTES, data.byteSize() - done);
      MemorySegment part = pinned.segment().asSlice(half * HALF_BYTES, count);
      // The half before is under way while this one is read.
      MemorySegment.copy(data, JAVA_BYTE, done, part, JAVA_BYTE, 0, count);
      stream.synchronize();
      stream.copyToDevice(part, buffer.address() + at + done);
      half = 1 - half;
    }
  }

  @Override
  public void computed(Supplier<MemorySegment> data, long at) {
    file(data.get(), at);
  }

  @Override
  public void close() {
    device.context().bind();
    try {
      stream.synchronize();
    } finally {
      stream.close();
      pinned.close();
    }
  }
}
