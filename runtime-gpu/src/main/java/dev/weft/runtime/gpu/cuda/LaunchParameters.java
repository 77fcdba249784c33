package dev.weft.runtime.gpu.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The parameters of a launch, in the kernel's order, and the structs that the driver reads them
/// from. Written anew for each launch, which copies them: filling it allocates nothing.
public final class LaunchParameters {
  private static final int MOST = 16;
  private static final int VALUE_BYTES = 512;

  /// Of what lies at multiples of most.
  private static final int MOST_ALIGNMENT = TensorMap.ALIGNMENT;

  // CUlaunchConfig: three counts of blocks, three of threads, shared bytes, the stream, attributes
  // and their number.
  private static final int CONFIG_BYTES = 56;
  private static final int STREAM = 32;
  private static final int ATTRIBUTES = 40;
  private static final int ATTRIBUTE_COUNT = 48;

  // CUlaunchAttribute: an id, and its value in a union.
  private static final int ATTRIBUTE_BYTES = 72;
  private static final int ATTRIBUTE_VALUE = 8;
  private static final int PROGRAMMATIC_STREAM_SERIALIZATION = 6;

  private final MemorySegment values;
  private final MemorySegment pointers;
  private final MemorySegment config;
  private final MemorySegment early;
  private int count;
  private long end;

  /// @param arena where it lies, and how long
  public LaunchParameters(Arena arena) {
    values = arena.allocate(VALUE_BYTES, MOST_ALIGNMENT);
    pointers = arena.allocate(JAVA_LONG, MOST);
    config = arena.allocate(CONFIG_BYTES, Long.BYTES);
    early = arena.allocate(ATTRIBUTE_BYTES, Long.BYTES);
    early.set(JAVA_INT, 0, PROGRAMMATIC_STREAM_SERIALIZATION);
    early.set(JAVA_INT, ATTRIBUTE_VALUE, 1);
  }

  /// Forgets what is there.
  public LaunchParameters start() {
    count = 0;
    end = 0;
    return this;
  }

  public LaunchParameters address(long value) {
    begin(Long.BYTES);
    return addLong(value);
  }

  public LaunchParameters integer(int value) {
    begin(Integer.BYTES);
    return addInt(value);
  }

  public LaunchParameters real(float value) {
    begin(Float.BYTES);
    return addFloat(value);
  }

  /// A struct by value: its fields follow, by the `add` methods.
  public LaunchParameters struct() {
    begin(Long.BYTES);
    return this;
  }

  /// A matrix whose tiles the kernel has brought.
  public LaunchParameters tensor(CudaDriver driver, TensorMap map) {
    begin(TensorMap.ALIGNMENT);
    map.encode(driver, values.asSlice(end, TensorMap.BYTES));
    end += TensorMap.BYTES;
    return this;
  }

  public LaunchParameters addLong(long value) {
    align(Long.BYTES);
    values.set(JAVA_LONG, end, value);
    end += Long.BYTES;
    return this;
  }

  public LaunchParameters addInt(int value) {
    align(Integer.BYTES);
    values.set(JAVA_INT, end, value);
    end += Integer.BYTES;
    return this;
  }

  public LaunchParameters addFloat(float value) {
    align(Float.BYTES);
    values.set(JAVA_FLOAT, end, value);
    end += Float.BYTES;
    return this;
  }

  private void begin(int alignment) {
    align(alignment);
    pointers.setAtIndex(JAVA_LONG, count++, values.address() + end);
  }

  private void align(int alignment) {
    end = Math.ceilDiv(end, alignment) * alignment;
  }

  MemorySegment pointers() {
    return pointers;
  }

  /// @param beforePreviousEnds whether the kernel may begin when all blocks of the one before have
  ///   let it
  MemorySegment config(LaunchGrid grid, CudaStream stream, boolean beforePreviousEnds) {
    config.set(JAVA_INT, 0, grid.x());
    config.set(JAVA_INT, 4, grid.y());
    config.set(JAVA_INT, 8, grid.z());
    config.set(JAVA_INT, 12, grid.threads());
    config.set(JAVA_INT, 16, 1);
    config.set(JAVA_INT, 20, 1);
    config.set(JAVA_INT, 24, grid.sharedBytes());
    config.set(JAVA_LONG, STREAM, stream.handle());
    config.set(JAVA_LONG, ATTRIBUTES, early.address());
    config.set(JAVA_INT, ATTRIBUTE_COUNT, beforePreviousEnds ? 1 : 0);
    return config;
  }
}
