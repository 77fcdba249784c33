package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.memory.KvForecast;
import dev.weft.autoscaler.memory.LengthForecast;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;

/// How well [KvForecast] tells from a trace's requests that a pool of KV memory will not do.
///
/// Requests enter when their prompts fit, or when what they are expected to need does too, as the
/// platform admits; they grow by a token a step and leave at their ends; when the pool runs out the
/// newest leaves. Each second it is asked whether the sequences that run will, were none evicted,
/// need more than there is within ten seconds, and their true lengths say whether they will.
///
/// A pool that is filled with prompts has less left than its sequences make in a second, so at most
/// moments it runs out unless one of them ends before, which it does often enough: a forecast that
/// misses one in ten has to tell of all moments at which nobody ends in time in one case of ten.
/// False alarms there are the price of the confidence, not of the forecast.
public final class ForecastCheck {
  private static final long TICK = 250_000_000L;
  private static final long SECOND = 1_000_000_000L;
  private static final long HORIZON = 10 * SECOND;
  private static final int PATIENCE_TICKS = 120;

  private final Setting setting;
  private final LengthForecast[] lengths;
  private final List<Running> running = new ArrayList<>();
  private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
  private final List<Double> leads = new ArrayList<>();
  private int moments;
  private int events;
  private int alarms;
  private int misses;

  private ForecastCheck(Trace trace, Setting setting) {
    this.setting = setting;
    this.lengths = new LengthForecast[trace.functions().size()];
    LengthForecast prior = new LengthForecast();
    Arrays.setAll(lengths, _ -> new LengthForecast(prior));
  }

  public static Outcome run(Trace trace, Setting setting) {
    ForecastCheck check = new ForecastCheck(trace, setting);
    int next = 0;
    long tick = 0;
    while (next < trace.calls().size() || !check.waiting.isEmpty()) {
      long now = tick * TICK;
      while (next < trace.calls().size() && trace.calls().get(next).atNanos() <= now) {
        check.waiting.add(new Waiting(trace.calls().get(next++), tick + PATIENCE_TICKS));
      }
      check.step(tick, now);
      if (now % SECOND == 0) {
        check.ask(now);
      }
      tick++;
    }
    return check.outcome();
  }

  private void step(long tick, long now) {
    running.removeIf(one -> {
      boolean ended = one.produced(now, setting) >= one.call.answerTokens();
      if (ended) {
        lengths[one.call.function()].saw(one.call.answerTokens());
      }
      return ended;
    });
    while (held(now) > setting.capacityTokens) {
      running.removeLast();
    }
    waiting.removeIf(one -> one.untilTick < tick);
    while (!waiting.isEmpty() && fits(waiting.getFirst().call, now)) {
      running.add(new Running(waiting.removeFirst().call, now));
    }
  }

  private boolean fits(Trace.Call call, long now) {
    if (!setting.foresees) {
      return held(now) + call.promptTokens() <= setting.capacityTokens;
    }
    long needed = needed(call, 0);
    for (Running one : running) {
      needed += needed(one.call, one.produced(now, setting));
    }
    return needed <= setting.capacityTokens;
  }

  private long needed(Trace.Call call, int produced) {
    return (long) call.promptTokens()
        + produced
        + MeshPolicy.tokensAhead(lengths[call.function()], produced, setting.mostTokens(call));
  }

  private long held(long now) {
    long held = 0;
    for (Running one : running) {
      held += one.call.promptTokens() + one.produced(now, setting);
    }
    return held;
  }

  private void ask(long now) {
    if (running.isEmpty()) {
      return;
    }
    List<KvForecast.Sequence> sequences = new ArrayList<>(running.size());
    for (Running one : running) {
      int produced = one.produced(now, setting);
      sequences.add(
          new KvForecast.Sequence(
              (long) one.call.promptTokens() + produced,
              produced,
              setting.mostTokens(one.call),
              1,
              setting.tokenNanos,
              lengths[one.call.function()]));
    }
    OptionalLong alarm =
        KvForecast.timeToExhaustion(sequences, setting.capacityTokens, setting.confidence, HORIZON);
    OptionalLong event = truth(now);
    moments++;
    alarms += alarm.isPresent() ? 1 : 0;
    events += event.isPresent() ? 1 : 0;
    misses += event.isPresent() && alarm.isEmpty() ? 1 : 0;
    if (event.isPresent() && alarm.isPresent()) {
      leads.add(event.getAsLong() / (double) SECOND);
    }
  }

  /// When the sequences that run need more than there is, by their true lengths.
  private OptionalLong truth(long now) {
    for (long after = TICK; after <= HORIZON; after += TICK) {
      long demand = 0;
      for (Running one : running) {
        int then = one.produced(now + after, setting);
        demand += then < one.call.answerTokens() ? one.call.promptTokens() + then : 0;
      }
      if (demand > setting.capacityTokens) {
        return OptionalLong.of(after);
      }
    }
    return OptionalLong.empty();
  }

  private Outcome outcome() {
    double[] sorted = leads.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    return new Outcome(
        moments,
        events,
        alarms,
        misses,
        alarms - (events - misses),
        sorted.length == 0 ? 0 : sorted[sorted.length / 2]);
  }

  /// @param capacityTokens of the pool
  /// @param tokenNanos in which each sequence grows by a token
  /// @param bounded whether each request says the most tokens of its answer: the next power of two
  /// @param foresees whether requests enter when what they are expected to need fits, rather than
  ///   their prompts alone
  public record Setting(
      long capacityTokens, long tokenNanos, double confidence, boolean bounded, boolean foresees) {
    int mostTokens(Trace.Call call) {
      int least = bounded ? call.answerTokens() : SimRequest.MOST_ANSWER_TOKENS;
      return Math.max(Integer.highestOneBit(Math.max(1, least - 1)) * 2, call.answerTokens());
    }
  }

  /// @param moments at which the forecast was asked
  /// @param events of these, moments after which memory ran out
  /// @param misses of the events, those that were not told
  /// @param falseAlarms of the other moments, those at which it was told
  /// @param leadSeconds from when it was told until memory ran out, the median
  public record Outcome(
      int moments, int events, int alarms, int misses, int falseAlarms, double leadSeconds) {
    /// Of the moments at which it said no.
    public double missShare() {
      return (double) misses / Math.max(1, moments - alarms);
    }

    /// Of the events.
    public double missedEventShare() {
      return (double) misses / Math.max(1, events);
    }

    /// Of the moments after which memory did.
    public double falseAlarmShare() {
      return (double) falseAlarms / Math.max(1, moments - events);
    }
  }

  private record Waiting(Trace.Call call, long untilTick) {}

  private record Running(Trace.Call call, long since) {
    int produced(long now, Setting setting) {
      return (int) Math.min(call.answerTokens(), (now - since) / setting.tokenNanos);
    }
  }
}
