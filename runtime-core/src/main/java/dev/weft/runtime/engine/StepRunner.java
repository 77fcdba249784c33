package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs the steps of one decoder, and submits a step before the one in front of it is awaited where
/// there is [one][Ahead] that needs nothing that this one gives: the device goes on while the host
/// reads tokens.
///
/// When a step fails, its parts are run again one by one, without drafts: what fails alone is to
/// blame, the others go on. That is safe because a part that did not succeed has not advanced its
/// sequence, and computing it again writes the same keys and values to the same places. Of a step
/// behind one that failed nothing is taken.
final class StepRunner {
  private static final Logger log = LoggerFactory.getLogger(StepRunner.class);

  private final RevisionId revision;
  private final DecoderExecutable executable;
  private final EngineObserver observer;
  private final DeviceThread device;
  private final PrefillPace pace;
  private final StepProfile profile;
  private final Requests requests;
  private final Ahead ahead;
  private final Runnable beside;

  /// The step that was submitted ahead.
  private @Nullable Submitted next;

  /// When the last step ended; at first, when this was made.
  private long endedNanos;

  /// Those for whom steps are run.
  interface Requests {
    Generation of(Sequence sequence);

    /// A step has brought this.
    void take(Part part, StepResult.Entry result, long nowNanos);

    /// No step brings this one further.
    void fail(Part part);
  }

  /// What can be submitted ahead.
  interface Ahead {
    /// The step after one that is under way, of the same sequences; empty where there is none yet.
    List<Part> plan(List<Part> step);

    /// It is not wanted any more.
    void drop();
  }

  /// @param whole whether it waits for no weights: others say nothing of the next
  private record Submitted(
      List<Part> parts, PendingStep pending, boolean whole, long submittedNanos) {}

  /// @param beside done while the device computes a step
  StepRunner(
      RevisionId revision,
      DecoderExecutable executable,
      EngineObserver observer,
      DeviceThread device,
      PrefillPace pace,
      StepProfile profile,
      Requests requests,
      Ahead ahead,
      Runnable beside) {
    this.revision = revision;
    this.executable = executable;
    this.observer = observer;
    this.device = device;
    this.pace = pace;
    this.profile = profile;
    this.requests = requests;
    this.ahead = ahead;
    this.beside = beside;
    endedNanos = device.nanoTime();
  }

  /// Whether a step was submitted ahead that has not been [ended][#goOn].
  boolean underWay() {
    return next != null;
  }

  /// Runs a step.
  void run(List<Part> parts) {
    Submitted step;
    try {
      step = submit(parts, entries(parts));
    } catch (RuntimeException | Error e) {
      failed(parts, parts, e);
      return;
    }
    end(step, parts);
  }

  /// Ends the step that was submitted ahead.
  ///
  /// @param wanted those of its parts whose results are taken, in their order
  void goOn(List<Part> wanted) {
    Submitted step = Objects.requireNonNull(next);
    next = null;
    end(step, wanted);
  }

  /// Waits for a step that was submitted ahead, if there is one, and takes nothing of it.
  void drop() {
    Submitted step = next;
    if (step == null) {
      return;
    }
    next = null;
    ahead.drop();
    try {
      var _ = step.pending().await();
    } catch (RuntimeException | Error e) {
      log.atWarn()
          .setCause(e)
          .addKeyValue("revision", revision)
          .log("a step failed of which nothing was wanted");
    }
  }

  private List<StepBatch.Entry> entries(List<Part> parts) {
    var entries = new ArrayList<StepBatch.Entry>(parts.size());
    for (Part part : parts) {
      entries.add(requests.of(part.sequence()).entry(part));
    }
    return entries;
  }

  private Submitted submit(List<Part> parts, List<StepBatch.Entry> entries) {
    boolean whole = executable.arrival().over();
    long now = device.nanoTime();
    return new Submitted(parts, executable.forward(new StepBatch(entries)), whole, now);
  }

  private void end(Submitted step, List<Part> wanted) {
    List<StepResult.Entry> results;
    try {
      beside.run();
      submitBehind(step, wanted);
      results = step.pending().await().entries();
      if (results.size() != step.parts().size()) {
        throw new IllegalStateException(
            "%d entries gave %d results".formatted(step.parts().size(), results.size()));
      }
    } catch (RuntimeException | Error e) {
      drop();
      failed(step.parts(), wanted, e);
      return;
    }
    long now = device.nanoTime();
    count(step, now);
    endedNanos = now;
    int taken = 0;
    for (int i = 0; taken < wanted.size(); i++) {
      if (step.parts().get(i).equals(wanted.get(taken))) {
        requests.take(wanted.get(taken++), results.get(i), now);
      }
    }
  }

  /// One that cannot be submitted is planned anew when this one has ended.
  private void submitBehind(Submitted step, List<Part> wanted) {
    List<Part> parts = ahead.plan(wanted);
    if (parts.isEmpty()) {
      return;
    }
    try {
      next = submit(parts, entriesBehind(step, parts));
    } catch (RuntimeException | Error e) {
      ahead.drop();
      observer.onStepFailed(revision, e);
      log.atWarn()
          .setCause(e)
          .addKeyValue("revision", revision)
          .log("a step could not be submitted ahead");
    }
  }

  private List<StepBatch.Entry> entriesBehind(Submitted step, List<Part> parts) {
    Map<Sequence, Integer> indexes = new HashMap<>();
    for (int i = 0; i < step.parts().size(); i++) {
      indexes.put(step.parts().get(i).sequence(), i);
    }
    var entries = new ArrayList<StepBatch.Entry>(parts.size());
    for (Part part : parts) {
      int index = Objects.requireNonNull(indexes.get(part.sequence()));
      entries.add(requests.of(part.sequence()).entryAhead(part, index));
    }
    return entries;
  }

  /// A step that was submitted ahead takes from the end of the one before.
  private void count(Submitted step, long now) {
    long nanos = now - Math.max(step.submittedNanos(), endedNanos);
    int decodeRows = 0;
    int rows = 0;
    for (Part part : step.parts()) {
      decodeRows += part.decodes() ? part.rows() : 0;
      rows += part.rows();
    }
    if (step.whole()) {
      pace.took(step.parts(), nanos);
      profile.took(step.parts(), nanos);
    }
    observer.onStep(
        revision,
        new EngineObserver.Step(
            Duration.ofNanos(nanos), step.parts().size(), decodeRows, rows - decodeRows));
  }

  private void failed(List<Part> parts, List<Part> wanted, Throwable cause) {
    observer.onStepFailed(revision, cause);
    Part first = parts.getFirst();
    if (parts.size() == 1 && wanted.size() == 1 && first.drafts() == 0) {
      log.atError()
          .setCause(cause)
          .addKeyValue("revision", revision)
          .addKeyValue("request", requests.of(first.sequence()).request().id())
          .log("a step failed; its request ends");
      requests.fail(first);
      return;
    }
    log.atWarn()
        .setCause(cause)
        .addKeyValue("revision", revision)
        .addKeyValue("sequences", wanted.size())
        .log("a step failed; its sequences are tried one by one");
    for (Part part : wanted) {
      run(List.of(new Part(part.sequence(), part.from(), part.count())));
    }
  }
}
