package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Arrival;
import dev.weft.runtime.gpu.cuda.CudaEvent;
import dev.weft.runtime.gpu.cuda.CudaStream;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.memory.Threads;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// Memory of the device with a model's weights, which may still be on their way there: in stages,
/// in the order in which a step uses them. A step waits for each stage on the device; on the host
/// only where copies of it have not been submitted yet. **thread**: any.
final class WeightBuffer implements Arrival, AutoCloseable {
  /// Somebody who waits for what the device does looks so often.
  private static final long LOOK_MILLIS = 2;

  private final GpuDevice device;
  private final DeviceBuffer memory;
  private final long begunNanos = System.nanoTime();
  private volatile boolean whole = true;
  private @Nullable Transfer transfer;
  private @Nullable Thread watcher;

  // Guarded by this.
  private final Map<Integer, Stage> submitted = new HashMap<>();
  private int passed;
  private @Nullable Throwable failure;

  /// A stage whose copies have been submitted.
  ///
  /// @param mark stands behind them
  /// @param end of its bytes
  private record Stage(CudaEvent mark, long end) {}

  /// What brings weights here.
  interface Transfer extends AutoCloseable {
    /// Waits until all is on the device; throws what went wrong of it.
    void finish();

    /// Begins nothing any more; [#finish] fails where something is missing.
    void cancel();

    /// Nothing is under way afterwards.
    @Override
    void close();
  }

  /// @param memory is closed with this
  WeightBuffer(GpuDevice device, DeviceBuffer memory) {
    this.device = device;
    this.memory = memory;
  }

  DeviceBuffer memory() {
    return memory;
  }

  /// Says that everything of a stage, up to `end`, has been submitted to this stream.
  void submitted(int stage, long end, CudaStream stream) {
    device.context().bind();
    CudaEvent mark = CudaEvent.mark(device.context());
    mark.record(stream);
    synchronized (this) {
      submitted.put(stage, new Stage(mark, end));
      notifyAll();
    }
  }

  /// Has a thread of its own see a transfer to its end. Called once at most.
  void arrive(Transfer arriving) {
    whole = false;
    transfer = arriving;
    watcher =
        Thread.ofPlatform().name("weft-arrival").daemon().start(() -> end(failureOf(arriving)));
  }

  private @Nullable Throwable failureOf(Transfer arriving) {
    try (arriving) {
      device.watched(() -> {
        device.context().bind();
        arriving.finish();
        return true;
      });
      return null;
    } catch (RuntimeException | Error e) {
      return e;
    }
  }

  private synchronized void end(@Nullable Throwable cause) {
    failure = cause;
    whole = cause == null;
    notifyAll();
  }

  /// Whether all weights are there: nothing waits any more.
  boolean whole() {
    return whole;
  }

  /// Has what is submitted to a stream from now on wait for a stage. Returns false, and does
  /// nothing, once all is there. Throws where it will never be, after what was submitted before has
  /// ended.
  boolean await(int stage, CudaStream stream) {
    if (whole) {
      return false;
    }
    try {
      stream.waitFor(mark(stage));
    } catch (IllegalStateException e) {
      // The tables that it reads are written again by the next step.
      stream.synchronize();
      throw e;
    }
    return true;
  }

  private synchronized CudaEvent mark(int stage) {
    requireNoFailure();
    awaitThat(() -> submitted.containsKey(stage));
    return Objects.requireNonNull(submitted.get(stage)).mark();
  }

  @Override
  public synchronized void await() {
    awaitThat(() -> whole);
  }

  @Override
  public synchronized void awaitNear(Duration left) {
    awaitThat(() -> whole || expectedNanos() <= left.toNanos());
  }

  private synchronized void awaitThat(BooleanSupplier happened) {
    try {
      while (!happened.getAsBoolean()) {
        requireNoFailure();
        wait(LOOK_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while weights were on their way", e);
    }
  }

  private synchronized void requireNoFailure() {
    if (failure != null) {
      throw new IllegalStateException("weights did not get to the device: " + failure, failure);
    }
  }

  @Override
  public boolean over() {
    return whole || failed();
  }

  private synchronized boolean failed() {
    return failure != null;
  }

  /// Until all are there, if the others come as those that have come did; for ever, as long as none
  /// has.
  private synchronized long expectedNanos() {
    Stage last = lastPassed();
    if (last == null) {
      return Long.MAX_VALUE;
    }
    double left = (double) (memory.byteSize() - last.end()) / last.end();
    return (long) (left * (System.nanoTime() - begunNanos));
  }

  private synchronized @Nullable Stage lastPassed() {
    device.context().bind();
    Stage next = submitted.get(passed);
    while (next != null && next.mark().passed()) {
      passed++;
      next = submitted.get(passed);
    }
    return submitted.get(passed - 1);
  }

  /// Whatever is still on its way ends first.
  @Override
  public void close() {
    Transfer arriving = transfer;
    Thread seeing = watcher;
    if (arriving != null && seeing != null) {
      arriving.cancel();
      Threads.join(seeing);
    }
    device.context().bind();
    marks().forEach(CudaEvent::close);
    memory.close();
  }

  private synchronized List<CudaEvent> marks() {
    List<CudaEvent> marks = submitted.values().stream().map(Stage::mark).toList();
    submitted.clear();
    return marks;
  }
}
