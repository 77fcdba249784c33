package dev.weft.bench.system;

import dev.weft.bench.Subprocess;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/// Restricts this process, and all that it starts from then on, to some of the processors.
public final class Affinity {
  /// Some systems take the restriction and do not keep to it.
  private static final double KEPT = 1.3;

  private static final long CHECK_MILLIS = 300;

  private Affinity() {}

  /// @param processors as `taskset -c` takes them: `0,1` or `0-3`
  /// @throws IllegalStateException where the system does not keep to it
  public static void restrict(String processors) throws IOException, InterruptedException {
    ProcessHandle self = ProcessHandle.current();
    Subprocess.output(List.of("taskset", "-a", "-c", "-p", processors, String.valueOf(self.pid())));
    int count = Runtime.getRuntime().availableProcessors();
    double used = processorsUsed(self, 2 * count);
    if (used > KEPT * count) {
      throw new IllegalStateException(
          "restricted to the processors %s, busy threads still had %.1f processors: this system does not keep processes where they are told to be"
              .formatted(processors, used));
    }
  }

  /// How many processors so many busy threads get.
  private static double processorsUsed(ProcessHandle self, int threads)
      throws InterruptedException {
    AtomicBoolean over = new AtomicBoolean();
    Runnable busy =
        () -> {
          while (!over.get()) {
            Thread.onSpinWait();
          }
        };
    List<Thread> all =
        Stream.generate(() -> Thread.ofPlatform().daemon().start(busy)).limit(threads).toList();
    long start = System.nanoTime();
    double before = ProcessUse.seconds(self);
    Thread.sleep(CHECK_MILLIS);
    double used = ProcessUse.seconds(self) - before;
    double seconds = (System.nanoTime() - start) / 1e9;
    over.set(true);
    for (Thread thread : all) {
      thread.join();
    }
    return used / seconds;
  }
}
