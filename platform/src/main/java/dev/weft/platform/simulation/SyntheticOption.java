package dev.weft.platform.simulation;

import dev.weft.autoscaler.simulation.SyntheticTrace;
import dev.weft.autoscaler.simulation.Trace;
import java.util.List;
import java.util.SplittableRandom;

/// A made-up trace as the command line describes it: `requests=1000000,functions=10000`.
public final class SyntheticOption {
  private static final List<String> KEYS =
      List.of("requests", "functions", "seconds", "prompt", "answer", "skew", "burst", "regular");

  private SyntheticOption() {}

  /// Reads a description; what it leaves out is as in [SyntheticTrace#DEFAULT].
  ///
  /// @throws FileFormatException when it cannot be read
  static SyntheticTrace parse(String text) {
    SyntheticTrace trace = SyntheticTrace.DEFAULT;
    for (String part : text.split(",", -1)) {
      String[] pair = part.split("=", -1);
      if (pair.length != 2) {
        throw new FileFormatException(
            "'%s' is not like requests=10000; there are %s".formatted(part, KEYS));
      }
      try {
        trace = with(trace, pair[0].strip(), Double.parseDouble(pair[1]));
      } catch (IllegalArgumentException e) {
        throw new FileFormatException(
            "'%s' is no part of a made-up trace: %s".formatted(part, e.getMessage()));
      }
    }
    return trace;
  }

  /// Makes the trace; the same seed makes the same.
  ///
  /// @throws FileFormatException when the description cannot be read
  public static Trace make(String text, long seed) {
    return parse(text).make(new SplittableRandom(seed));
  }

  private static SyntheticTrace with(SyntheticTrace t, String key, double value) {
    if (!KEYS.contains(key)) {
      throw new IllegalArgumentException("there are " + KEYS);
    }
    return new SyntheticTrace(
        key.equals("requests") ? whole(value) : t.requests(),
        key.equals("functions") ? whole(value) : t.functions(),
        key.equals("seconds") ? value : t.seconds(),
        key.equals("prompt") ? whole(value) : t.promptTokens(),
        key.equals("answer") ? whole(value) : t.answerTokens(),
        key.equals("skew") ? value : t.skew(),
        key.equals("burst") ? value : t.burst(),
        key.equals("regular") ? value : t.regular());
  }

  private static int whole(double value) {
    if (value != Math.rint(value) || Math.abs(value) > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("not a whole number: " + value);
    }
    return (int) value;
  }
}
