package dev.weft.bench.gpu;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.engine.EngineObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/// Every step of an engine, in order.
final class StepLog implements EngineObserver {
  private final List<Step> steps = new ArrayList<>();
  private long lastEnd;
  private long lastStallNanos;
  private int preempted;

  /// What a step found when it had ended.
  interface Circumstances {
    /// Time that changes of mappings have taken so far.
    long stallNanos();

    /// What a function is doing.
    Engine.Load load(RevisionId function);
  }

  private final Circumstances circumstances;

  /// One step.
  ///
  /// @param nanos since the step before it ended, whoever's that was
  /// @param stallNanos of these, for changes of mappings
  /// @param load of its function
  record Step(
      RevisionId function,
      long nanos,
      EngineObserver.Step step,
      long stallNanos,
      Engine.Load load) {
    boolean decodesOnly() {
      return step.prefillRows() == 0;
    }

    int decodeRows() {
      return step.decodeRows();
    }

    /// Tokens that its function's sequences had KV blocks for.
    long heldTokens() {
      return (long) load.blocksActual() * load.tokensPerBlock();
    }
  }

  StepLog(Circumstances circumstances) {
    this.circumstances = circumstances;
  }

  @Override
  public synchronized void onStep(RevisionId function, EngineObserver.Step step) {
    long end = System.nanoTime();
    long stalls = circumstances.stallNanos();
    steps.add(
        new Step(
            function,
            steps.isEmpty() ? step.duration().toNanos() : end - lastEnd,
            step,
            stalls - lastStallNanos,
            circumstances.load(function)));
    lastEnd = end;
    lastStallNanos = stalls;
    notifyAll();
  }

  @Override
  public synchronized void onPreempted(RevisionId function) {
    preempted++;
  }

  /// Sequences that lost their blocks so far.
  synchronized int preempted() {
    return preempted;
  }

  /// Forgets what was logged.
  synchronized void clear() {
    steps.clear();
    preempted = 0;
    lastStallNanos = circumstances.stallNanos();
  }

  synchronized List<Step> steps() {
    return List.copyOf(steps);
  }

  /// Those of some kind, as soon as there are so many, or all that there are when time is up.
  synchronized List<Step> await(Predicate<Step> which, int count, Duration limit)
      throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (steps.stream().filter(which).limit(count).count() < count) {
      long left = (end - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        break;
      }
      wait(left);
    }
    return steps.stream().filter(which).toList();
  }
}
