package dev.weft.bench.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.weft.bench.report.PartRecorder;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.memory.ChunkMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.IntConsumer;

/// What the driver's calls for chunks cost, each through the runtime's bindings.
final class DriverCalls {
  private static final String QUANTITY = "a call of the driver, for a chunk of 2 MiB, us";
  private static final String DRIVER = "driver";
  private static final long BYTES = ChunkMemory.CHUNK_BYTES;
  private static final int RUNS = 5;

  private final CudaDriver driver;
  private final PartRecorder recorder;
  private final int chunks;

  /// @param chunks that each call is made for, one after the other
  DriverCalls(CudaDriver driver, PartRecorder recorder, int chunks) {
    this.driver = driver;
    this.recorder = recorder;
    this.chunks = chunks;
  }

  void measure() {
    try (var context = new CudaContext(driver, 0);
        var arena = Arena.ofConfined()) {
      context.bind();
      for (int run = 0; run < RUNS; run++) {
        chunks(properties(arena, context.device()), access(arena, context.device()));
        events();
        buffers();
      }
    }
  }

  /// `CUmemAllocationProp`: pinned, of a device.
  private static MemorySegment properties(Arena arena, int device) {
    MemorySegment properties = arena.allocate(32, Long.BYTES);
    properties.set(JAVA_INT, 0, 1);
    properties.set(JAVA_INT, 8, 1);
    properties.set(JAVA_INT, 12, device);
    return properties;
  }

  /// `CUmemAccessDesc`: a device, to read and write.
  private static MemorySegment access(Arena arena, int device) {
    MemorySegment access = arena.allocate(12, Integer.BYTES);
    access.set(JAVA_INT, 0, 1);
    access.set(JAVA_INT, 4, device);
    access.set(JAVA_INT, 8, 3);
    return access;
  }

  private void chunks(MemorySegment properties, MemorySegment access) {
    long[] handles = new long[chunks];
    long start = System.nanoTime();
    long address = driver.memAddressReserve(chunks * BYTES, BYTES);
    add("reserve addresses, once for all", System.nanoTime() - start, 1);
    each("create", i -> handles[i] = driver.memCreate(BYTES, properties));
    each("map", i -> driver.memMap(address + i * BYTES, BYTES, handles[i]));
    each("set access, one by one", i -> driver.memSetAccess(address + i * BYTES, BYTES, access));
    each("clear (submitted)", i -> driver.memsetD8Async(address + i * BYTES, (byte) 0, BYTES, 0));
    driver.ctxSynchronize();
    each("unmap", i -> driver.memUnmap(address + i * BYTES, BYTES));
    each("map again", i -> driver.memMap(address + i * BYTES, BYTES, handles[i]));
    start = System.nanoTime();
    driver.memSetAccess(address, chunks * BYTES, access);
    add("set access, a range at once", System.nanoTime() - start, chunks);
    start = System.nanoTime();
    driver.memUnmap(address, chunks * BYTES);
    add("unmap, a range at once", System.nanoTime() - start, chunks);
    each("release", i -> driver.memRelease(handles[i]));
    start = System.nanoTime();
    driver.memAddressFree(address, chunks * BYTES);
    add("free addresses, once for all", System.nanoTime() - start, 1);
  }

  private void events() {
    long[] events = new long[chunks];
    // CU_STREAM_NON_BLOCKING
    long stream = driver.streamCreate(1);
    // CU_EVENT_DISABLE_TIMING
    each("create an event", i -> events[i] = driver.eventCreate(2));
    each("record an event", i -> driver.eventRecord(events[i], stream));
    driver.streamSynchronize(stream);
    each("ask whether an event has passed", i -> driver.eventQuery(events[i]));
    each("wait for an idle stream", _ -> driver.streamSynchronize(stream));
    each("destroy an event", i -> driver.eventDestroy(events[i]));
    driver.streamDestroy(stream);
  }

  private void buffers() {
    long[] addresses = new long[chunks];
    each("cuMemAlloc", i -> addresses[i] = driver.memAlloc(BYTES));
    each("cuMemFree", i -> driver.memFree(addresses[i]));
  }

  private void each(String label, IntConsumer call) {
    long start = System.nanoTime();
    for (int i = 0; i < chunks; i++) {
      call.accept(i);
    }
    add(label, System.nanoTime() - start, chunks);
  }

  private void add(String label, long nanos, int count) {
    recorder.add(label, QUANTITY, 2, DRIVER, nanos / 1e3 / count);
  }
}
