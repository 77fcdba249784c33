package dev.weft.runtime.gpu;

import com.sun.management.OperatingSystemMXBean;
import dev.weft.functions.ByteSize;
import java.lang.management.ManagementFactory;
import java.util.Map;

/// How much of the host's memory weights may take, pinned, beside the device's.
///
/// @param bytes the most
/// @param slabBytes parts that it is taken in; an image of weights has a number of them
public record HostMemoryLimit(long bytes, long slabBytes) {
  /// The environment variable: a size, or `off`.
  public static final String VARIABLE = "WEFT_GPU_HOST_MEMORY";

  public static final HostMemoryLimit NONE = of(0);

  /// Of the runtime's process.
  public static final long SLAB_BYTES = 32L << 20;

  private static final long DEFAULT_BYTES = 16L << 30;

  /// Of the host's memory, or of what the container may have of it: pinned memory is nobody else's.
  private static final double DEFAULT_SHARE = 0.25;

  private static HostMemoryLimit of(long bytes) {
    return new HostMemoryLimit(bytes, SLAB_BYTES);
  }

  public static HostMemoryLimit of(Map<String, String> environment) {
    String given = environment.get(VARIABLE);
    if (given == null) {
      var system =
          ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
      return of(Math.min(DEFAULT_BYTES, (long) (DEFAULT_SHARE * system)));
    }
    return of(given.equals("off") ? 0 : ByteSize.parse(VARIABLE, given));
  }
}
