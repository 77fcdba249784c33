package dev.weft.runtime.gpu;

import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import java.lang.foreign.MemorySegment;

/// Memory of the host and as much of the device, for what is copied between them. It grows where
/// there is more to copy than ever before.
final class MirroredBuffer implements AutoCloseable {
  private final CudaContext context;
  private PinnedBuffer host;
  private DeviceBuffer device;

  MirroredBuffer(CudaContext context, long byteSize) {
    this.context = context;
    host = new PinnedBuffer(context, byteSize);
    try {
      device = new DeviceBuffer(context, byteSize);
    } catch (RuntimeException | Error e) {
      host.close();
      throw e;
    }
  }

  /// Makes room for so many bytes; what the host has of them stays. No copy may be under way.
  void require(long byteSize) {
    if (byteSize <= device.byteSize()) {
      return;
    }
    long more = Math.max(byteSize, 2 * device.byteSize());
    var largerHost = new PinnedBuffer(context, more);
    DeviceBuffer largerDevice;
    try {
      largerDevice = new DeviceBuffer(context, more);
    } catch (RuntimeException | Error e) {
      largerHost.close();
      throw e;
    }
    MemorySegment.copy(host.segment(), 0, largerHost.segment(), 0, device.byteSize());
    close();
    host = largerHost;
    device = largerDevice;
  }

  MemorySegment host() {
    return host.segment();
  }

  /// Where it begins on the device.
  long address() {
    return device.address();
  }

  @Override
  public void close() {
    device.close();
    host.close();
  }
}
