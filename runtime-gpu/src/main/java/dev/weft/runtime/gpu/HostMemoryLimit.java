package dev.weft.runtime.gpu;

import com.sun.management.OperatingSystemMXBean;
import dev.weft.functions.ByteSize;
import java.lang.management.ManagementFactory;
import java.util.Map;

/// How much of the host's memory weights and KV blocks may take, pinned, beside the device's.
///
/// @param bytes the most for weights
/// @param slabBytes parts that it is taken in; an image of weights has a number of them
/// @param swapBytes the most for KV blocks whose place on the device others need
public record HostMemoryLimit(long bytes, long slabBytes, long swapBytes) {
  /// The environment variable for weights: a size, or `off`.
  public static final String VARIABLE = "WEFT_GPU_HOST_MEMORY";

  /// The one for KV blocks.
  public static final String SWAP_VARIABLE = "WEFT_GPU_SWAP_MEMORY";

  public static final HostMemoryLimit NONE = new HostMemoryLimit(0, HostMemoryLimit.SLAB_BYTES);

  /// Of the runtime's process.
  public static final long SLAB_BYTES = 32L << 20;

  private static final long DEFAULT_BYTES = 16L << 30;

  /// Of the host's memory, or of what the container may have of it: pinned memory is nobody else's.
  private static final double DEFAULT_SHARE = 0.25;

  private static final long DEFAULT_SWAP_BYTES = 8L << 30;
  private static final double DEFAULT_SWAP_SHARE = 0.125;

  /// For weights alone.
  public HostMemoryLimit(long bytes, long slabBytes) {
    this(bytes, slabBytes, 0);
  }

  public static HostMemoryLimit of(Map<String, String> environment) {
    long weights = of(environment, VARIABLE, DEFAULT_BYTES, DEFAULT_SHARE);
    long swap = of(environment, SWAP_VARIABLE, DEFAULT_SWAP_BYTES, DEFAULT_SWAP_SHARE);
    return new HostMemoryLimit(weights, SLAB_BYTES, swap);
  }

  private static long of(
      Map<String, String> environment, String variable, long mostBytes, double mostShare) {
    String given = environment.get(variable);
    if (given == null) {
      var system =
          ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
      return Math.min(mostBytes, (long) (mostShare * system));
    }
    return given.equals("off") ? 0 : ByteSize.parse(variable, given);
  }
}
