package dev.weft.autoscaler.simulation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;

/// Requests in the order of their arrival.
///
/// @param functions names, most requests first
public record Trace(List<String> functions, List<Call> calls) {
  private static final double NANOS_PER_SECOND = 1e9;

  public Trace {
    functions = List.copyOf(functions);
    calls = List.copyOf(calls);
    long before = 0;
    for (Call call : calls) {
      if (call.atNanos() < before || call.function() >= functions.size()) {
        throw new IllegalArgumentException(
            "a call of function %d of %d, %d ns after one at %d"
                .formatted(call.function(), functions.size(), call.atNanos(), before));
      }
      before = call.atNanos();
    }
  }

  /// A trace of calls in any order, of functions named by whoever made it. Times begin at 0, and
  /// functions are numbered by how often they are called.
  public static Trace of(List<NamedCall> named) {
    Map<String, Integer> counts = new HashMap<>();
    named.forEach(call -> counts.merge(call.function(), 1, Integer::sum));
    List<String> functions = new ArrayList<>(counts.keySet());
    functions.sort(
        Comparator.comparingInt((String name) -> counts.getOrDefault(name, 0))
            .reversed()
            .thenComparing(Comparator.naturalOrder()));
    Map<String, Integer> numbers = new HashMap<>();
    functions.forEach(name -> numbers.put(name, numbers.size()));
    double begin = named.stream().mapToDouble(NamedCall::seconds).min().orElse(0);
    List<Call> calls = new ArrayList<>(named.size());
    for (NamedCall call : named) {
      calls.add(
          new Call(
              Math.round((call.seconds() - begin) * NANOS_PER_SECOND),
              numbers.getOrDefault(call.function(), 0),
              call.promptTokens(),
              call.answerTokens()));
    }
    calls.sort(Comparator.comparingLong(Call::atNanos));
    return new Trace(functions, calls);
  }

  /// The functions from every `n`-th group on, so that `count` of them are as unevenly called as
  /// all: of a trace with 128 the first, fifth, ninth and so on for 32.
  ///
  /// @throws IllegalArgumentException when there are fewer
  public Trace withFunctions(int count) {
    if (count < 1 || count > functions.size()) {
      throw new IllegalArgumentException(
          "%d functions of a trace with %d".formatted(count, functions.size()));
    }
    int[] numbers = new int[functions.size()];
    List<String> kept = new ArrayList<>();
    for (int i = 0; i < functions.size(); i++) {
      boolean keep =
          (long) (i + 1) * count / functions.size() > (long) i * count / functions.size();
      numbers[i] = keep ? kept.size() : -1;
      if (keep) {
        kept.add(functions.get(i));
      }
    }
    return new Trace(
        kept,
        calls.stream()
            .filter(call -> numbers[call.function()] >= 0)
            .map(call ->
                new Call(
                    call.atNanos(),
                    numbers[call.function()],
                    call.promptTokens(),
                    call.answerTokens()))
            .toList());
  }

  /// The same calls, of `count` functions: a function's calls go to several in turn where the trace
  /// has fewer functions, so that one stream without names can stand for many functions. How often
  /// each is called falls with its number, as `1 / (number + 1)`.
  public Trace spreadOver(int count, RandomGenerator random) {
    double[] until = new double[count];
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += 1.0 / (i + 1);
      until[i] = sum;
    }
    List<NamedCall> named = new ArrayList<>(calls.size());
    for (Call call : calls) {
      int function = firstAbove(until, random.nextDouble() * sum);
      named.add(
          new NamedCall(
              "f" + function,
              call.atNanos() / NANOS_PER_SECOND,
              call.promptTokens(),
              call.answerTokens()));
    }
    return of(named);
  }

  /// The first of rising numbers that is not below `value`; the last when none is.
  static int firstAbove(double[] rising, double value) {
    int at = Arrays.binarySearch(rising, value);
    return Math.min(rising.length - 1, at < 0 ? -at - 1 : at);
  }

  /// The same calls at another pace: 2 makes them come twice as fast.
  public Trace faster(double factor) {
    return new Trace(
        functions,
        calls.stream()
            .map(call ->
                new Call(
                    (long) (call.atNanos() / factor),
                    call.function(),
                    call.promptTokens(),
                    call.answerTokens()))
            .toList());
  }

  /// When the last call comes.
  public long lastNanos() {
    return calls.isEmpty() ? 0 : calls.getLast().atNanos();
  }

  /// One request.
  public record Call(long atNanos, int function, int promptTokens, int answerTokens) {
    public Call {
      if (promptTokens < 1 || answerTokens < 1) {
        throw new IllegalArgumentException(
            "a call of %d and %d tokens".formatted(promptTokens, answerTokens));
      }
    }
  }

  /// One request, as trace files tell it.
  public record NamedCall(String function, double seconds, int promptTokens, int answerTokens) {}
}
