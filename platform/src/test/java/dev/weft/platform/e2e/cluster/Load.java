package dev.weft.platform.e2e.cluster;

import dev.weft.platform.e2e.cluster.Callers.Answer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;

/// Callers that go on calling while something is done to an installation, half of them for streams.
/// As users' libraries do it, a call that fails is made again after half a second, and once more
/// after a second.
final class Load {
  private static final int CALLERS = 4;
  private static final int TOKENS = 8;
  private static final int TRIES = 3;
  private static final Duration FIRST_PAUSE = Duration.ofMillis(500);
  private static final Duration BETWEEN = Duration.ofMillis(100);

  /// How long they call before something is done, and after it.
  private static final Duration MARGIN = Duration.ofSeconds(5);

  private final Callers callers;
  private final String what;
  private final Collection<Call> calls = new ConcurrentLinkedQueue<>();
  private volatile boolean over;

  private Load(Callers callers, String what) {
    this.callers = callers;
    this.what = what;
  }

  /// A call, and what came of each of its tries.
  ///
  /// @param end as [System#nanoTime] tells it
  record Call(String id, List<Answer> tries, long begin, long end) {
    boolean answered() {
      return tries.getLast().whole();
    }

    boolean repeated() {
      return tries.size() > 1;
    }

    Duration took() {
      return Duration.ofNanos(end - begin);
    }

    String told() {
      return id + ": " + String.join("; ", tries.stream().map(Answer::told).toList());
    }
  }

  /// What became of all calls.
  ///
  /// @param what was done meanwhile
  record Report(String what, List<Call> calls) {
    /// Those that were not answered at once.
    List<String> repeated() {
      return calls.stream().filter(Call::repeated).map(Call::told).toList();
    }

    /// Those that were not answered at all.
    List<String> failed() {
      return calls.stream().filter(call -> !call.answered()).map(Call::told).toList();
    }

    Duration longest() {
      return calls.stream().map(Call::took).max(Duration::compareTo).orElse(Duration.ZERO);
    }

    /// The longest time in which nobody got an answer.
    Duration silence() {
      long[] answers =
          calls.stream().filter(Call::answered).mapToLong(Call::end).sorted().toArray();
      return IntStream.range(1, answers.length)
          .mapToObj(i -> Duration.ofNanos(answers[i] - answers[i - 1]))
          .max(Duration::compareTo)
          .orElse(Duration.ZERO);
    }

    String told() {
      return ("%s: %d of %d calls failed, %d were made again; the longest took %.1f s, "
              + "and nobody got an answer for %.1f s at the most")
          .formatted(
              what,
              failed().size(),
              calls.size(),
              repeated().size(),
              longest().toMillis() / 1e3,
              silence().toMillis() / 1e3);
    }
  }

  /// Calls for as long as `change` takes, and a little before and after it.
  static Report during(Callers callers, String what, Runnable change) {
    Load load = new Load(callers, what);
    List<Thread> threads =
        IntStream.range(0, CALLERS)
            .mapToObj(number -> Thread.ofVirtual().start(() -> load.call(number)))
            .toList();
    try {
      pause(MARGIN);
      change.run();
      pause(MARGIN);
    } finally {
      load.end(threads);
    }
    return load.report();
  }

  private void call(int number) {
    for (int i = 0; !over; i++) {
      String id = "%s-%d-%d".formatted(what.replaceAll("\\W+", "-"), number, i);
      long begin = System.nanoTime();
      List<Answer> tries = new ArrayList<>();
      do {
        if (!tries.isEmpty()) {
          pause(FIRST_PAUSE.multipliedBy(tries.size()));
        }
        tries.add(callers.chat(id, TOKENS, number % 2 == 1));
      } while (!tries.getLast().whole() && tries.size() < TRIES);
      calls.add(new Call(id, List.copyOf(tries), begin, System.nanoTime()));
      pause(BETWEEN);
    }
  }

  private void end(List<Thread> threads) {
    over = true;
    for (Thread thread : threads) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
  }

  private Report report() {
    Report report = new Report(what, List.copyOf(calls));
    Release.note("calls.txt", report.told());
    report.repeated().forEach(call -> Release.note("calls-made-again.txt", call));
    return report;
  }

  static void pause(Duration time) {
    try {
      Thread.sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
