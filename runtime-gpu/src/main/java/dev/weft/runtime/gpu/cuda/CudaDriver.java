package dev.weft.runtime.gpu.cuda;

import static dev.weft.runtime.foreign.NativeFunction.address;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/// The functions of `libcuda.so.1` that this module calls, as `cuda.h` 13.0 declares them: one
/// method a function, its parameters in the same order, what it returns through a pointer as the
/// result. A status that is not success becomes a [CudaException] here and nowhere else.
///
/// Handles and device addresses are longs. Whoever calls from a thread has made a context current
/// there ([#ctxSetCurrent]), but for what asks about devices.
public final class CudaDriver {
  private static final int SUCCESS = 0;
  private static final int NOT_READY = 600;
  private static final int NAME_BYTES = 256;

  /// CUDA 12.0: the functions are older, but nobody has run this with an older driver.
  private static final int LEAST_VERSION = 12_000;

  private static final String WHAT_TO_DO =
      "install NVIDIA's driver 525 or newer, or, in a container, let it have the host's (such as"
          + " docker run --gpus all)";

  private final Map<String, NativeFunction> functions = new HashMap<>();

  /// All functions are looked up at once: a driver that lacks one is too old, and says so before
  /// anything has been done with it.
  private CudaDriver(NativeLibrary cuda) {
    for (String name : CudaFunctions.NAMES) {
      functions.put(name, function(cuda, name));
    }
  }

  private static NativeFunction function(NativeLibrary cuda, String name) {
    try {
      return cuda.function(name);
    } catch (NativeException e) {
      throw new NativeException(
          "the driver of NVIDIA", "is too old: it has no %s; %s".formatted(name, WHAT_TO_DO), e);
    }
  }

  /// Loads the driver and initialises it.
  ///
  /// @throws NativeException when there is no driver, or it is too old
  /// @throws CudaException when it cannot be initialised
  public static CudaDriver open() {
    NativeLibrary library;
    try {
      library = NativeLibrary.open("libcuda.so.1");
    } catch (NativeException e) {
      throw new NativeException(
          "no driver of NVIDIA is here:", "%s; %s".formatted(e.getMessage(), WHAT_TO_DO), e);
    }
    return open(library);
  }

  /// Initialises the driver that a library has.
  ///
  /// @throws NativeException when it is too old
  public static CudaDriver open(NativeLibrary library) {
    var driver = new CudaDriver(library);
    driver.call("cuInit", 0);
    int version = driver.driverGetVersion();
    if (version < LEAST_VERSION) {
      throw new NativeException(
          "the driver of NVIDIA",
          "is too old: it serves CUDA %s; %s".formatted(versionText(version), WHAT_TO_DO));
    }
    return driver;
  }

  /// Such as `12.4`.
  public static String versionText(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  /// The newest CUDA version that the driver serves, as `1000 * major + 10 * minor`.
  public int driverGetVersion() {
    return intFrom("cuDriverGetVersion");
  }

  public int deviceGetCount() {
    return intFrom("cuDeviceGetCount");
  }

  /// The handle of the device with this index.
  public int deviceGet(int ordinal) {
    return intFrom("cuDeviceGet", ordinal);
  }

  public String deviceGetName(int device) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment name = scratch.allocate(NAME_BYTES);
      call("cuDeviceGetName", address(name), NAME_BYTES, device);
      return name.getString(0);
    }
  }

  /// Bytes of the device's memory.
  public long deviceTotalMem(int device) {
    return longFrom("cuDeviceTotalMem_v2", device);
  }

  public int deviceGetAttribute(Attribute attribute, int device) {
    return intFrom("cuDeviceGetAttribute", attribute.value, device);
  }

  /// `CUdevice_attribute`, with the values of `cuda.h` 13.0.
  public enum Attribute {
    MULTIPROCESSOR_COUNT(16),
    COMPUTE_CAPABILITY_MAJOR(75),
    COMPUTE_CAPABILITY_MINOR(76),
    VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED(102);

    private final int value;

    Attribute(int value) {
      this.value = value;
    }
  }

  public long devicePrimaryCtxRetain(int device) {
    return longFrom("cuDevicePrimaryCtxRetain", device);
  }

  public void devicePrimaryCtxRelease(int device) {
    call("cuDevicePrimaryCtxRelease_v2", device);
  }

  public void ctxSetCurrent(long context) {
    call("cuCtxSetCurrent", context);
  }

  public void ctxSynchronize() {
    call("cuCtxSynchronize");
  }

  /// @param image a cubin
  public long moduleLoadData(MemorySegment image) {
    return longFrom("cuModuleLoadData", address(image));
  }

  public void moduleUnload(long module) {
    call("cuModuleUnload", module);
  }

  public long moduleGetFunction(long module, String name) {
    try (Arena scratch = Arena.ofConfined()) {
      return longFrom("cuModuleGetFunction", module, address(scratch.allocateFrom(name)));
    }
  }

  /// @param attribute `CUfunction_attribute`
  public void funcSetAttribute(long function, int attribute, int value) {
    call("cuFuncSetAttribute", function, attribute, value);
  }

  /// @param config a `CUlaunchConfig`
  /// @param parameters an array of pointers to the kernel's parameters
  public void launchKernelEx(MemorySegment config, long function, MemorySegment parameters) {
    call("cuLaunchKernelEx", address(config), function, address(parameters), 0);
  }

  /// @param flags 1 is `CU_STREAM_NON_BLOCKING`
  public long streamCreate(int flags) {
    return longFrom("cuStreamCreate", flags);
  }

  public void streamDestroy(long stream) {
    call("cuStreamDestroy_v2", stream);
  }

  public void streamSynchronize(long stream) {
    call("cuStreamSynchronize", stream);
  }

  /// @param mode 2 is `CU_STREAM_CAPTURE_MODE_RELAXED`
  public void streamBeginCapture(long stream, int mode) {
    call("cuStreamBeginCapture_v2", stream, mode);
  }

  /// The graph.
  public long streamEndCapture(long stream) {
    return longAfter("cuStreamEndCapture", stream);
  }

  public void streamWaitEvent(long stream, long event) {
    call("cuStreamWaitEvent", stream, event, 0);
  }

  public long graphInstantiate(long graph) {
    return longFrom("cuGraphInstantiateWithFlags", graph, 0);
  }

  public void graphLaunch(long executable, long stream) {
    call("cuGraphLaunch", executable, stream);
  }

  public void graphDestroy(long graph) {
    call("cuGraphDestroy", graph);
  }

  public void graphExecDestroy(long executable) {
    call("cuGraphExecDestroy", executable);
  }

  /// @param flags 2 is `CU_EVENT_DISABLE_TIMING`
  public long eventCreate(int flags) {
    return longFrom("cuEventCreate", flags);
  }

  public void eventDestroy(long event) {
    call("cuEventDestroy_v2", event);
  }

  public void eventRecord(long event, long stream) {
    call("cuEventRecord", event, stream);
  }

  public void eventSynchronize(long event) {
    call("cuEventSynchronize", event);
  }

  /// Whether it has passed.
  public boolean eventQuery(long event) {
    int status = status("cuEventQuery", event);
    if (status == NOT_READY) {
      return false;
    }
    check("cuEventQuery", status);
    return true;
  }

  public float eventElapsedMillis(long start, long end) {
    return Float.intBitsToFloat(intFrom("cuEventElapsedTime", start, end));
  }

  public long memAlloc(long byteSize) {
    return longFrom("cuMemAlloc_v2", byteSize);
  }

  public void memFree(long address) {
    call("cuMemFree_v2", address);
  }

  /// Pinned memory of the host, at this address.
  public long memHostAlloc(long byteSize, int flags) {
    return longFrom("cuMemHostAlloc", byteSize, flags);
  }

  public void memFreeHost(long address) {
    call("cuMemFreeHost", address);
  }

  /// Bytes free on the device.
  public long memGetInfoFree() {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment both = scratch.allocate(JAVA_LONG, 2);
      call("cuMemGetInfo_v2", address(both), address(both) + Long.BYTES);
      return both.get(JAVA_LONG, 0);
    }
  }

  public void memcpyHtoD(long to, MemorySegment from) {
    call("cuMemcpyHtoD_v2", to, address(from), from.byteSize());
  }

  public void memcpyDtoH(MemorySegment to, long from) {
    call("cuMemcpyDtoH_v2", address(to), from, to.byteSize());
  }

  public void memcpyHtoDAsync(long to, MemorySegment from, long stream) {
    call("cuMemcpyHtoDAsync_v2", to, address(from), from.byteSize(), stream);
  }

  public void memcpyDtoHAsync(MemorySegment to, long from, long stream) {
    call("cuMemcpyDtoHAsync_v2", address(to), from, to.byteSize(), stream);
  }

  public void memcpyDtoDAsync(long to, long from, long byteSize, long stream) {
    call("cuMemcpyDtoDAsync_v2", to, from, byteSize, stream);
  }

  public void memsetD8Async(long at, byte value, long byteSize, long stream) {
    call("cuMemsetD8Async", at, value & 0xFF, byteSize, stream);
  }

  /// @param properties a `CUmemAllocationProp`
  public long memCreate(long byteSize, MemorySegment properties) {
    return longFrom("cuMemCreate", byteSize, address(properties), 0);
  }

  public void memRelease(long handle) {
    call("cuMemRelease", handle);
  }

  public long memAddressReserve(long byteSize, long alignment) {
    return longFrom("cuMemAddressReserve", byteSize, alignment, 0, 0);
  }

  public void memAddressFree(long address, long byteSize) {
    call("cuMemAddressFree", address, byteSize);
  }

  public void memMap(long address, long byteSize, long handle) {
    call("cuMemMap", address, byteSize, 0, handle, 0);
  }

  public void memUnmap(long address, long byteSize) {
    call("cuMemUnmap", address, byteSize);
  }

  /// @param access a `CUmemAccessDesc`
  public void memSetAccess(long address, long byteSize, MemorySegment access) {
    call("cuMemSetAccess", address, byteSize, address(access), 1);
  }

  /// @param map a `CUtensorMap`, which is written
  /// @param sizes of each dimension, elements, the inner one first
  /// @param strides of each but the inner one, bytes
  /// @param box of each, the elements of a tile
  /// @param steps of each, from an element of a tile to the next
  public void tensorMapEncodeTiled(
      MemorySegment map,
      TensorMap.Encoding encoding,
      int rank,
      long address,
      MemorySegment sizes,
      MemorySegment strides,
      MemorySegment box,
      MemorySegment steps) {
    call(
        "cuTensorMapEncodeTiled",
        address(map),
        encoding.dataType(),
        rank,
        address,
        address(sizes),
        address(strides),
        address(box),
        address(steps),
        encoding.interleave(),
        encoding.swizzle(),
        encoding.promotion(),
        encoding.fill());
  }

  /// What a function writes through its first parameter: the lower half of a word that was zero.
  private int intFrom(String function, long... parameters) {
    return (int) longFrom(function, parameters);
  }

  private long longFrom(String function, long... parameters) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(JAVA_LONG);
      long[] all = new long[parameters.length + 1];
      all[0] = address(out);
      System.arraycopy(parameters, 0, all, 1, parameters.length);
      call(function, all);
      return out.get(JAVA_LONG, 0);
    }
  }

  /// What a function writes through its second parameter.
  private long longAfter(String function, long parameter) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(JAVA_LONG);
      call(function, parameter, address(out));
      return out.get(JAVA_LONG, 0);
    }
  }

  private void call(String function, long... parameters) {
    check(function, status(function, parameters));
  }

  private int status(String function, long... parameters) {
    NativeFunction found = functions.get(function);
    if (found == null) {
      throw new IllegalStateException(function + " is not listed");
    }
    return (int) found.call(parameters);
  }

  private void check(String function, int status) {
    if (status != SUCCESS) {
      throw new CudaException(
          function,
          status,
          text("cuGetErrorName", status, "CUresult"),
          text("cuGetErrorString", status, "see CUresult in cuda.h"));
    }
  }

  /// A string of the driver's about a status.
  private String text(String function, int status, String unknown) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(JAVA_LONG);
      if (status(function, status, address(out)) != SUCCESS) {
        return unknown;
      }
      return HostMemory.string(out.get(JAVA_LONG, 0));
    }
  }
}
