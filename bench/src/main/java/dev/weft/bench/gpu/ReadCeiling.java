package dev.weft.bench.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.CudaKernel;
import dev.weft.runtime.gpu.cuda.CudaModule;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.cuda.LaunchParameters;
import dev.weft.runtime.gpu.kernels.KernelSource;
import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;

/// How fast the device reads its memory when it does nothing else: the best of several kernels and
/// launches, each of whose sums is checked.
final class ReadCeiling {
  private static final long BYTES = 8L << 30;

  /// No more of what is free than this part.
  private static final int FREE_PART = 4;

  private static final int RUNS = 4;
  private static final List<String> KERNELS = List.of("read4", "read8", "read16");
  private static final List<Integer> THREADS = List.of(256, 512);
  private static final List<Integer> BLOCKS_EACH = List.of(2, 4, 8, 32);

  private final CudaDriver driver;
  private final Nvrtc nvrtc;

  ReadCeiling(CudaDriver driver, Nvrtc nvrtc) {
    this.driver = driver;
    this.nvrtc = nvrtc;
  }

  private static String source() {
    try (InputStream in =
        Objects.requireNonNull(ReadCeiling.class.getResourceAsStream("read.cu"))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The kernels for an architecture.
  static byte[] compile(Nvrtc nvrtc, String architecture) {
    return nvrtc.compile(
        source(), "read.cu", List.of("--std=c++17", "--gpu-architecture=" + architecture));
  }

  double bytesPerSecond() {
    try (var context = new CudaContext(driver, 0)) {
      context.bind();
      String architecture = KernelSource.architecture(context.capability());
      byte[] cubin = compile(nvrtc, architecture);
      // Whole pieces of the widest kernel at its largest launch.
      long bytes = Math.min(BYTES, driver.memGetInfoFree() / FREE_PART) >> 20 << 20;
      try (var module = new CudaModule(context, cubin);
          var stream = new CudaStream(context);
          var data = new DeviceBuffer(context, bytes);
          var sum = new DeviceBuffer(context, Integer.BYTES);
          var arena = Arena.ofConfined()) {
        driver.memsetD8Async(data.address(), (byte) 1, bytes, 0);
        context.synchronize();
        var timing = new Timing(context, stream, data, sum, new LaunchParameters(arena));
        double best = 0;
        for (String name : KERNELS) {
          CudaKernel kernel = module.kernel(name);
          for (int threads : THREADS) {
            for (int each : BLOCKS_EACH) {
              var grid = LaunchGrid.of(each * context.multiprocessors(), threads);
              best = Math.max(best, bytes / timing.seconds(kernel, grid));
            }
          }
        }
        return best;
      }
    }
  }

  private record Timing(
      CudaContext context,
      CudaStream stream,
      DeviceBuffer data,
      DeviceBuffer sum,
      LaunchParameters parameters) {
    /// The shortest of some runs.
    double seconds(CudaKernel kernel, LaunchGrid grid) {
      double best = Double.POSITIVE_INFINITY;
      try (var start = CudaEvent.timed(context);
          var end = CudaEvent.timed(context)) {
        for (int run = 0; run < RUNS; run++) {
          stream.clear(sum.address(), Integer.BYTES);
          parameters.start().address(data.address()).address(sum.address());
          parameters.address(data.byteSize() / 16);
          start.record(stream);
          kernel.launch(stream, grid, parameters);
          end.record(stream);
          end.await();
          check(kernel);
          best = Math.min(best, end.millisSince(start) / 1000.0);
        }
      }
      return best;
    }

    private void check(CudaKernel kernel) {
      try (Arena scratch = Arena.ofConfined()) {
        MemorySegment read = scratch.allocate(JAVA_INT);
        context.driver().memcpyDtoH(read, sum.address());
        int expected = (int) (data.byteSize() / 4 * 0x01010101L);
        if (read.get(JAVA_INT, 0) != expected) {
          throw new IllegalStateException(
              "%s summed up %d, not %d".formatted(kernel.name(), read.get(JAVA_INT, 0), expected));
        }
      }
    }
  }
}
