package dev.weft.bench.live;

import dev.weft.autoscaler.simulation.Trace;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/// Takes from a trace what one round replays: a stretch of it, in which calls come faster and are
/// shorter than they were.
///
/// @param pace by which calls come faster
/// @param shorter by which prompts and answers are divided
record Slice(int seconds, double pace, double shorter) {
  /// The longest prompt whose first token is due in the least time that is promised.
  static final int MOST_PROMPT_TOKENS = 256;

  private static final double SECOND = 1e9;

  /// Each round has its own stretch, the first one the trace's beginning.
  ///
  /// @throws IllegalArgumentException when the trace is too short for it
  Trace of(Trace trace, int round) {
    double begin = round * seconds * pace * SECOND;
    double end = begin + seconds * pace * SECOND;
    if (end > trace.lastNanos()) {
      throw new IllegalArgumentException(
          "the trace lasts %.0f s, of which round %d at this pace needs %.0f"
              .formatted(trace.lastNanos() / SECOND, round + 1, end / SECOND));
    }
    Trace functions = functions(trace, round);
    List<Trace.Call> calls = new ArrayList<>();
    for (Trace.Call call : functions.calls()) {
      if (call.atNanos() >= begin && call.atNanos() < end) {
        calls.add(
            new Trace.Call(
                (long) ((call.atNanos() - begin) / pace),
                call.function(),
                Math.min(MOST_PROMPT_TOKENS, length(call.promptTokens())),
                length(call.answerTokens())));
      }
    }
    return new Trace(functions.functions(), calls);
  }

  /// Eight of the trace's functions, or its calls spread over eight, as `weft simulate` does it.
  private static Trace functions(Trace trace, int round) {
    return trace.functions().size() >= LiveFunction.COUNT
        ? trace.withFunctions(LiveFunction.COUNT)
        : trace.spreadOver(LiveFunction.COUNT, new SplittableRandom(round + 1));
  }

  private int length(int tokens) {
    return (int) Math.ceil(tokens / shorter);
  }
}
