package dev.weft.autoscaler.simulation;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.random.RandomGenerator;

/// A made-up trace, for sizes that no recorded one has.
///
/// How often a function is called falls with its number, as `1 / (number + 1)^skew`. Calls come in
/// bursts, whose sizes are geometric and whose calls lie within ten seconds. Those of some
/// functions begin at even intervals, as timers have them, the others' at any time. Lengths are
/// log-normal with the means that are given, and are cut at the context.
///
/// @param seconds in which all calls come
/// @param promptTokens mean length of a prompt
/// @param answerTokens mean length of an answer
/// @param skew 0 for functions that are called equally often
/// @param burst mean number of calls of a burst, at least 1
/// @param regular the share of functions whose bursts begin at even intervals
public record SyntheticTrace(
    int requests,
    int functions,
    double seconds,
    int promptTokens,
    int answerTokens,
    double skew,
    double burst,
    double regular) {
  private static final double BURST_SECONDS = 10;
  private static final int MOST_PROMPT_TOKENS = 4_096;
  private static final int MOST_ANSWER_TOKENS = 2_048;

  /// The logarithm of lengths deviates by so much.
  private static final double DEVIATION = 0.8;

  private static final double NANOS_PER_SECOND = 1e9;

  /// Half an hour of conversations, as in the traces of Azure: 867 tokens in, 220 out.
  public static final SyntheticTrace DEFAULT =
      new SyntheticTrace(10_000, 128, 1_800, 867, 220, 0.9, 4, 0);

  public SyntheticTrace {
    if (requests < 1 || functions < 1 || promptTokens < 1 || answerTokens < 1) {
      throw new IllegalArgumentException(
          "%d requests of %d functions, %d and %d tokens"
              .formatted(requests, functions, promptTokens, answerTokens));
    }
    if (!(seconds > 0 && skew >= 0 && burst >= 1 && regular >= 0 && regular <= 1)) {
      throw new IllegalArgumentException(
          "%s seconds, skew %s, burst %s, regular %s".formatted(seconds, skew, burst, regular));
    }
  }

  /// Makes it; the same source of randomness makes the same.
  public Trace make(RandomGenerator random) {
    double[] until = new double[functions];
    double sum = 0;
    for (int i = 0; i < functions; i++) {
      sum += Math.pow(i + 1, -skew);
      until[i] = sum;
    }
    double[] interval = new double[functions];
    double[] next = new double[functions];
    for (int i = 0; i < functions && regular > 0; i++) {
      double share = (until[i] - (i == 0 ? 0 : until[i - 1])) / sum;
      interval[i] = random.nextDouble() < regular ? seconds * burst / (requests * share) : 0;
      next[i] = interval[i] * random.nextDouble();
    }
    List<Trace.Call> calls = new ArrayList<>(requests);
    while (calls.size() < requests) {
      int function = Trace.firstAbove(until, random.nextDouble() * sum);
      double begin = interval[function] > 0 ? next[function] : random.nextDouble() * seconds;
      next[function] = (begin + interval[function]) % seconds;
      do {
        double at = Math.min(seconds, begin + BURST_SECONDS * random.nextDouble());
        calls.add(
            new Trace.Call(
                (long) (at * NANOS_PER_SECOND),
                function,
                length(random, promptTokens, MOST_PROMPT_TOKENS),
                length(random, answerTokens, MOST_ANSWER_TOKENS)));
      } while (calls.size() < requests && random.nextDouble() >= 1 / burst);
    }
    calls.sort(Comparator.comparingLong(Trace.Call::atNanos));
    List<String> names = new ArrayList<>(functions);
    for (int i = 0; i < functions; i++) {
      names.add("f" + i);
    }
    return new Trace(names, calls);
  }

  private static int length(RandomGenerator random, int mean, int most) {
    double median = mean * Math.exp(-DEVIATION * DEVIATION / 2);
    double tokens = median * Math.exp(DEVIATION * random.nextGaussian());
    return Math.clamp(Math.round(tokens), 1, most);
  }
}
