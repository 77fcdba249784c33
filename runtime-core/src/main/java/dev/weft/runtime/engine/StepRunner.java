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
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs the steps of one decoder.
///
/// When a step fails, its parts are run again one by one, without drafts: what fails alone is to
/// blame, the others go on. That is safe because a part that did not succeed has not advanced its
/// sequence, and computing it again writes the same keys and values to the same places.
final class StepRunner {
  private static final Logger log = LoggerFactory.getLogger(StepRunner.class);

  private final RevisionId revision;
  private final DecoderExecutable executable;
  private final EngineObserver observer;
  private final DeviceThread device;
  private final PrefillPace pace;
  private final StepProfile profile;
  private final Requests requests;
  private final Runnable beside;

  /// Those for whom steps are run.
  interface Requests {
    Generation of(Sequence sequence);

    /// A step has brought this.
    void take(Part part, StepResult.Entry result, long nowNanos);

    /// No step brings this one further.
    void fail(Part part);
  }

  /// @param beside done while the device computes a step
  StepRunner(
      RevisionId revision,
      DecoderExecutable executable,
      EngineObserver observer,
      DeviceThread device,
      PrefillPace pace,
      StepProfile profile,
      Requests requests,
      Runnable beside) {
    this.revision = revision;
    this.executable = executable;
    this.observer = observer;
    this.device = device;
    this.pace = pace;
    this.profile = profile;
    this.requests = requests;
    this.beside = beside;
  }

  void run(List<Part> parts) {
    boolean whole = executable.arrival().over();
    long start = device.nanoTime();
    List<StepResult.Entry> results;
    try {
      results = forward(parts);
    } catch (RuntimeException | Error e) {
      failed(parts, e);
      return;
    }
    long now = device.nanoTime();
    count(parts, now - start, whole);
    for (int i = 0; i < results.size(); i++) {
      requests.take(parts.get(i), results.get(i), now);
    }
  }

  private List<StepResult.Entry> forward(List<Part> parts) {
    var entries = new ArrayList<StepBatch.Entry>(parts.size());
    for (Part part : parts) {
      entries.add(requests.of(part.sequence()).entry(part));
    }
    PendingStep step = executable.forward(new StepBatch(entries));
    beside.run();
    var results = step.await().entries();
    if (results.size() != entries.size()) {
      throw new IllegalStateException(
          "%d entries gave %d results".formatted(entries.size(), results.size()));
    }
    return results;
  }

  /// @param whole whether it waited for no weights: others say nothing of the next
  private void count(List<Part> parts, long nanos, boolean whole) {
    int decodeRows = 0;
    int rows = 0;
    for (Part part : parts) {
      decodeRows += part.decodes() ? part.rows() : 0;
      rows += part.rows();
    }
    if (whole) {
      pace.took(parts, nanos);
      profile.took(parts, nanos);
    }
    observer.onStep(
        revision,
        new EngineObserver.Step(
            Duration.ofNanos(nanos), parts.size(), decodeRows, rows - decodeRows));
  }

  private void failed(List<Part> parts, Throwable cause) {
    observer.onStepFailed(revision, cause);
    Part first = parts.getFirst();
    if (parts.size() == 1 && first.drafts() == 0) {
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
        .addKeyValue("sequences", parts.size())
        .log("a step failed; its sequences are tried one by one");
    for (Part part : parts) {
      run(List.of(new Part(part.sequence(), part.from(), part.count())));
    }
  }
}
