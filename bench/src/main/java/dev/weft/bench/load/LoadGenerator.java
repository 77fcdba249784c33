package dev.weft.bench.load;

import dev.weft.bench.Spread;
import dev.weft.bench.load.Completion.Answer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/// Loads a server with streamed completions. Any failed request fails the run: half an answer is
/// not a measurement.
public final class LoadGenerator {
  private static final int STREAM_TOKENS = 2000;
  private static final int STREAM_PROMPT = 128;

  private final Prompts prompts = new Prompts();

  /// A number of clients, each sending its next request when the last is answered.
  ///
  /// @param requests of each client
  public record Load(int clients, int requests, int promptTokens, int outputTokens) {}

  /// Times in milliseconds.
  public record Times(double p50, double p95, double max) {
    static Times of(List<Double> millis) {
      return new Times(
          Spread.percentileOf(millis, 0.5),
          Spread.percentileOf(millis, 0.95),
          Spread.percentileOf(millis, 1));
    }
  }

  /// What a load gave.
  public record Result(double tokensPerSecond, Times firstToken, Times between) {}

  public Result run(Target target, Load load) throws InterruptedException {
    long start = System.nanoTime();
    List<Answer> answers = answers(target, load);
    double seconds = (System.nanoTime() - start) / 1e9;
    return new Result(
        answers.stream().mapToInt(Answer::tokens).sum() / seconds,
        Times.of(answers.stream().map(Answer::firstMillis).toList()),
        Times.of(answers.stream().flatMap(answer -> answer.gapMillis().stream()).toList()));
  }

  private List<Answer> answers(Target target, Load load) throws InterruptedException {
    Callable<List<Answer>> client =
        () -> {
          List<Answer> answers = new ArrayList<>();
          for (int request = 0; request < load.requests(); request++) {
            answers.add(
                Completion.whole(target, prompts.next(load.promptTokens()), load.outputTokens()));
          }
          return answers;
        };
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      return joinAll(threads.invokeAll(Collections.nCopies(load.clients(), client))).stream()
          .flatMap(List::stream)
          .toList();
    }
  }

  /// One request.
  public Answer one(Target target, int promptTokens, int outputTokens) {
    return Completion.whole(target, prompts.next(promptTokens), outputTokens);
  }

  /// What a long prompt did to streams beside it.
  ///
  /// @param largestGapMillis the longest that any stream waited while the prompt was in work
  /// @param firstMillis of the long prompt
  public record Interference(double largestGapMillis, double firstMillis) {}

  /// Sends a long prompt while streams run.
  public Interference interfere(Target target, int streams, int longPrompt)
      throws InterruptedException {
    CountDownLatch running = new CountDownLatch(streams);
    AtomicBoolean over = new AtomicBoolean();
    Callable<Answer> stream =
        () -> {
          AtomicBoolean first = new AtomicBoolean(true);
          try {
            return Completion.until(
                target,
                prompts.next(STREAM_PROMPT),
                STREAM_TOKENS,
                _ -> {
                  if (first.getAndSet(false)) {
                    running.countDown();
                  }
                  return !over.get();
                });
          } finally {
            running.countDown();
          }
        };
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Answer>> answers =
          Stream.generate(() -> threads.submit(stream)).limit(streams).toList();
      running.await();
      Answer answer;
      try {
        answer = Completion.whole(target, prompts.next(longPrompt), 1);
      } finally {
        over.set(true);
      }
      long from = answer.startNanos();
      long to = answer.pieceNanos()[0];
      double gap =
          joinAll(answers).stream()
              .mapToDouble(each -> largestGap(each.pieceNanos(), from, to))
              .max()
              .orElseThrow();
      return new Interference(gap, answer.firstMillis());
    }
  }

  /// The longest time without a piece that overlaps `from` to `to`, in milliseconds.
  static double largestGap(long[] pieces, long from, long to) {
    long last = pieces[pieces.length - 1];
    if (last < from) {
      throw new IllegalStateException("a stream ended before the long prompt came");
    }
    long[] ends = Arrays.copyOf(pieces, pieces.length + 1);
    ends[pieces.length] = Math.max(last, to);
    long largest = 0;
    for (int i = 1; i < ends.length; i++) {
      if (ends[i] > from && ends[i - 1] < to) {
        largest = Math.max(largest, ends[i] - ends[i - 1]);
      }
    }
    return largest / 1e6;
  }

  private static <T> List<T> joinAll(List<Future<T>> futures) throws InterruptedException {
    List<T> values = new ArrayList<>();
    try {
      for (Future<T> future : futures) {
        values.add(future.get());
      }
    } catch (ExecutionException e) {
      throw new IllegalStateException("a request failed: " + e.getMessage(), e);
    }
    return values;
  }
}
