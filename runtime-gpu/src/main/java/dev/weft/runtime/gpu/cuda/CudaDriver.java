package dev.weft.runtime.gpu.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/// The functions of `libcuda.so.1` that this module calls, as `cuda.h` 13.0 declares them.
public final class CudaDriver {
  private static final int SUCCESS = 0;
  private static final int NAME_BYTES = 256;

  private final MethodHandle init;
  private final MethodHandle driverGetVersion;
  private final MethodHandle deviceGetCount;
  private final MethodHandle deviceGet;
  private final MethodHandle deviceGetName;
  private final MethodHandle deviceTotalMem;
  private final MethodHandle deviceGetAttribute;

  private CudaDriver(NativeLibrary cuda) {
    init = cuda.function("cuInit", JAVA_INT, JAVA_INT);
    driverGetVersion = cuda.function("cuDriverGetVersion", JAVA_INT, ADDRESS);
    deviceGetCount = cuda.function("cuDeviceGetCount", JAVA_INT, ADDRESS);
    deviceGet = cuda.function("cuDeviceGet", JAVA_INT, ADDRESS, JAVA_INT);
    deviceGetName = cuda.function("cuDeviceGetName", JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
    deviceTotalMem = cuda.function("cuDeviceTotalMem_v2", JAVA_INT, ADDRESS, JAVA_INT);
    deviceGetAttribute =
        cuda.function("cuDeviceGetAttribute", JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
  }

  /// Loads the driver and initialises it.
  ///
  /// @throws NativeException when there is no driver, or it cannot be initialised
  public static CudaDriver open() {
    var driver = new CudaDriver(NativeLibrary.open("libcuda.so.1"));
    check("cuInit", call("cuInit", () -> (int) driver.init.invokeExact(0)));
    return driver;
  }

  /// The newest CUDA version that the driver serves, as `1000 * major + 10 * minor`.
  public int driverGetVersion() {
    return intResult("cuDriverGetVersion", out -> (int) driverGetVersion.invokeExact(out));
  }

  public int deviceGetCount() {
    return intResult("cuDeviceGetCount", out -> (int) deviceGetCount.invokeExact(out));
  }

  /// The handle of the device with this index.
  public int deviceGet(int ordinal) {
    return intResult("cuDeviceGet", out -> (int) deviceGet.invokeExact(out, ordinal));
  }

  public String deviceGetName(int device) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment name = scratch.allocate(NAME_BYTES);
      check(
          "cuDeviceGetName",
          call("cuDeviceGetName", () -> (int) deviceGetName.invokeExact(name, NAME_BYTES, device)));
      return name.getString(0);
    }
  }

  /// Bytes of the device's memory.
  public long deviceTotalMem(int device) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment bytes = scratch.allocate(JAVA_LONG);
      check(
          "cuDeviceTotalMem",
          call("cuDeviceTotalMem", () -> (int) deviceTotalMem.invokeExact(bytes, device)));
      return bytes.get(JAVA_LONG, 0);
    }
  }

  public int deviceGetAttribute(Attribute attribute, int device) {
    return intResult(
        "cuDeviceGetAttribute",
        out -> (int) deviceGetAttribute.invokeExact(out, attribute.value, device));
  }

  /// `CUdevice_attribute`, with the values of `cuda.h` 13.0.
  public enum Attribute {
    MULTIPROCESSOR_COUNT(16),
    COMPUTE_CAPABILITY_MAJOR(75),
    COMPUTE_CAPABILITY_MINOR(76);

    private final int value;

    Attribute(int value) {
      this.value = value;
    }
  }

  private int intResult(String function, OutCall call) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(JAVA_INT);
      check(function, call(function, () -> call.invoke(out)));
      return out.get(JAVA_INT, 0);
    }
  }

  private static int call(String function, Call call) {
    try {
      return call.invoke();
    } catch (Throwable t) {
      throw new AssertionError(function, t);
    }
  }

  private static void check(String function, int status) {
    if (status != SUCCESS) {
      throw NativeException.status(function, status, meaning(status));
    }
  }

  /// `CUresult`, for the statuses that a probe meets.
  private static String meaning(int status) {
    return switch (status) {
      case 3 -> "the driver is not initialised";
      case 100 -> "there is no CUDA device";
      case 101 -> "there is no such device";
      case 802 -> "the system is not ready to use CUDA";
      case 803 -> "the driver's library and its kernel module are of different versions";
      case 999 -> "unknown; the kernel module may not be loaded";
      default -> "see CUresult in cuda.h";
    };
  }

  private interface Call {
    int invoke() throws Throwable;
  }

  private interface OutCall {
    int invoke(MemorySegment out) throws Throwable;
  }
}
