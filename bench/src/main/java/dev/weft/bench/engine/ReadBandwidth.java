package dev.weft.bench.engine;

import dev.weft.bench.Subprocess;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/// How fast this machine reads memory: every thread adds up an array of its own, all together far
/// larger than any cache. In a process of its own, for huge pages and to give the memory back.
public final class ReadBandwidth {
  private static final int TOTAL_MIB = 2048;
  private static final int PASSES = 12;

  private ReadBandwidth() {}

  /// Gigabytes (10^9) a second.
  public static double measure(int threads) throws IOException, InterruptedException {
    List<String> flags =
        List.of("-Xmx" + 2 * TOTAL_MIB + "m", "-XX:+UseSerialGC", "-XX:+UseTransparentHugePages");
    return Double.parseDouble(
        Subprocess.output(
                Subprocess.java(flags, ReadBandwidth.class, List.of(String.valueOf(threads))))
            .strip());
  }

  /// Argument: threads.
  public static void main(String[] arguments) throws ExecutionException, InterruptedException {
    int threads = Integer.parseInt(arguments[0]);
    int length = (TOTAL_MIB / threads) << 17;
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      List<long[]> arrays =
          join(pool.invokeAll(IntStream.range(0, threads).mapToObj(_ -> filled(length)).toList()));
      double best = 0;
      long sum = 0;
      for (int pass = 0; pass < PASSES; pass++) {
        long start = System.nanoTime();
        List<Long> sums =
            join(
                pool.invokeAll(
                    arrays.stream().map(array -> (Callable<Long>) () -> sum(array)).toList()));
        double seconds = (System.nanoTime() - start) / 1e9;
        sum += sums.stream().mapToLong(Long::longValue).sum();
        best = Math.max(best, 8.0 * length * threads / seconds / 1e9);
      }
      if (sum != (long) PASSES * length * threads) {
        throw new AssertionError("the sum is wrong: " + sum);
      }
      System.out.println(best);
    }
  }

  /// Filled by the thread that reads it, so that it lies in that thread's memory.
  private static Callable<long[]> filled(int length) {
    return () -> {
      long[] array = new long[length];
      Arrays.fill(array, 1);
      return array;
    };
  }

  /// A plain reduction, which the compiler turns into the widest loads there are.
  private static long sum(long[] array) {
    long sum = 0;
    for (long value : array) {
      sum += value;
    }
    return sum;
  }

  private static <T> List<T> join(List<Future<T>> futures)
      throws ExecutionException, InterruptedException {
    List<T> values = new ArrayList<>();
    for (Future<T> future : futures) {
      values.add(future.get());
    }
    return values;
  }
}
