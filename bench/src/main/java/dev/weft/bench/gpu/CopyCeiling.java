package dev.weft.bench.gpu;

import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.PinnedBuffer;
import java.util.ArrayList;
import java.util.List;

/// How fast the driver copies, in bytes a second, each of several runs.
final class CopyCeiling {
  private static final long BYTES = 4L << 30;
  private static final long HOST_BYTES = 1L << 30;

  /// No more of what is free than this part.
  private static final int FREE_PART = 16;

  private static final int RUNS = 5;

  private CopyCeiling() {}

  private interface Copy {
    void submit(CudaStream stream);
  }

  /// On the device: bytes read and written.
  static List<Double> onDevice(CudaDriver driver) {
    try (var context = new CudaContext(driver, 0)) {
      long bytes = bytes(driver, BYTES);
      try (var from = new DeviceBuffer(context, bytes);
          var to = new DeviceBuffer(context, bytes)) {
        return rates(
            context, 2 * bytes, stream -> stream.copyOnDevice(from.address(), to.address(), bytes));
      }
    }
  }

  /// From pinned memory of the host to the device.
  static List<Double> toDevice(CudaDriver driver) {
    return host(driver, true);
  }

  static List<Double> toHost(CudaDriver driver) {
    return host(driver, false);
  }

  private static List<Double> host(CudaDriver driver, boolean toDevice) {
    try (var context = new CudaContext(driver, 0)) {
      long bytes = bytes(driver, HOST_BYTES);
      try (var device = new DeviceBuffer(context, bytes);
          var pinned = new PinnedBuffer(context, bytes)) {
        pinned.segment().fill((byte) 1);
        return rates(
            context,
            bytes,
            stream -> {
              if (toDevice) {
                stream.copyToDevice(pinned.segment(), device.address());
              } else {
                stream.copyToHost(device.address(), pinned.segment());
              }
            });
      }
    }
  }

  private static long bytes(CudaDriver driver, long most) {
    return Math.min(most, driver.memGetInfoFree() / FREE_PART) >> 20 << 20;
  }

  private static List<Double> rates(CudaContext context, long bytes, Copy copy) {
    List<Double> rates = new ArrayList<>();
    try (var stream = new CudaStream(context);
        var start = CudaEvent.timed(context);
        var end = CudaEvent.timed(context)) {
      for (int run = -1; run < RUNS; run++) {
        start.record(stream);
        copy.submit(stream);
        end.record(stream);
        end.await();
        if (run >= 0) {
          rates.add(bytes * 1000.0 / Math.max(1e-3, end.millisSince(start)));
        }
      }
    }
    return rates;
  }
}
