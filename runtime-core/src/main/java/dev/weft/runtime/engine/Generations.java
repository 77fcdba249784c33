package dev.weft.runtime.engine;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.engine.EngineObserver.Outcome;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.scheduling.StepPlan.Part;
import dev.weft.runtime.scheduling.StepPlanner;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// All requests of one decoder that have not ended. Gives each what a step brought it, tells its
/// listener, and ends it. On the device's thread.
final class Generations implements StepRunner.Requests {
  private static final Logger log = LoggerFactory.getLogger(Generations.class);
  private static final String UNLOADED = "the instance was unloaded";

  private final RevisionId revision;
  private final StepPlanner planner;
  private final LatencyWatch latency;
  private final Deadlines deadlines;
  private final EngineObserver observer;
  private final DeviceThread device;
  private final KeptKv kept;
  private final Runnable freed;

  /// In order of arrival.
  private final Map<Sequence, Generation> bySequence = new LinkedHashMap<>();

  private boolean closed;

  /// @param freed is run when one has given up what it held, before anybody hears of its end
  Generations(
      RevisionId revision,
      StepPlanner planner,
      LatencyWatch latency,
      Deadlines deadlines,
      EngineObserver observer,
      DeviceThread device,
      KeptKv kept,
      Runnable freed) {
    this.revision = revision;
    this.planner = planner;
    this.latency = latency;
    this.deadlines = deadlines;
    this.observer = observer;
    this.device = device;
    this.kept = kept;
    this.freed = freed;
  }

  /// Takes one that was admitted, and has it planned unless it is over already.
  void add(Generation generation) {
    bySequence.put(generation.sequence(), generation);
    if (closed || generation.entrance().closed()) {
      end(generation, Outcome.UNLOADED, UNLOADED);
      return;
    }
    if (generation.endedBefore().isPresent()) {
      end(generation, generation.endedBefore().get(), "");
      return;
    }
    planner.add(generation.sequence());
  }

  Collection<Generation> all() {
    return Collections.unmodifiableCollection(bySequence.values());
  }

  @Override
  public Generation of(Sequence sequence) {
    Generation generation = bySequence.get(sequence);
    if (generation == null) {
      throw new IllegalStateException("a sequence was planned after its end");
    }
    return generation;
  }

  /// When the next token of any is due that has not lost its deadline; `Long.MAX_VALUE` when none
  /// is.
  long due() {
    long now = device.nanoTime();
    long due = Long.MAX_VALUE;
    for (Generation generation : bySequence.values()) {
      due = deadlines.lost(generation, now) ? due : Math.min(due, deadlines.due(generation));
    }
    return due;
  }

  /// Whether the first token of any is late whatever happens.
  boolean lost() {
    long now = device.nanoTime();
    for (Generation generation : bySequence.values()) {
      if (deadlines.lost(generation, now)) {
        return true;
      }
    }
    return false;
  }

  /// Has those that cannot be in time any more let those pass that can.
  void letPass() {
    long now = device.nanoTime();
    for (Generation generation : bySequence.values()) {
      if (deadlines.lost(generation, now)) {
        planner.letPass(generation.sequence());
      }
    }
  }

  /// Has each guess how its text goes on, if its request wants that.
  void draft() {
    bySequence.values().forEach(Generation::draft);
  }

  /// These take part in a step.
  void start(List<Part> parts, long now) {
    parts.forEach(part -> of(part.sequence()).markStarted(now));
  }

  /// Tells how long all have waited for their next token by now.
  void watch(long now) {
    bySequence.values().forEach(generation -> generation.watch(latency, now));
  }

  /// A failure in here is this sequence's alone.
  @Override
  public void take(Part part, StepResult.Entry result, long now) {
    Generation generation = of(part.sequence());
    try {
      if (generation.wantsLogits(part)) {
        generation.score(part.from(), result.logits());
      }
      boolean samples = part.samples();
      part.sequence().advance(part.count());
      if (samples) {
        tellAll(generation, part, result.sampled(), now);
      }
    } catch (RuntimeException | Error e) {
      log.atError()
          .setCause(e)
          .addKeyValue("revision", revision)
          .addKeyValue("request", generation.request().id())
          .log("a token could not be delivered; its request ends");
      end(generation, Outcome.INTERNAL, "the request failed inside the engine");
    }
  }

  /// The first token follows from the text, each further one from a draft that proved right.
  private void tellAll(Generation generation, Part part, List<SampledToken> sampled, long now) {
    if (sampled.isEmpty()) {
      throw new IllegalStateException("the step chose no token");
    }
    int told = 0;
    for (SampledToken token : sampled) {
      if (told++ > 0) {
        generation.sequence().advance(1);
      }
      if (tell(generation, token, now)) {
        break;
      }
    }
    if (part.drafts() > 0) {
      generation.checked(part.drafts(), told - 1);
      observer.onDrafted(revision, part.drafts(), told - 1);
    }
  }

  /// Returns whether the generation is over.
  private boolean tell(Generation generation, SampledToken sampled, long now) {
    if (generation.firstToken() && generation.request().scorePrompt()) {
      generation.listener().onPromptScored(generation.scores());
    }
    generation.watch(latency, now);
    var advance = generation.accept(sampled, now);
    if (!advance.tokens().isEmpty() || !advance.text().isEmpty()) {
      generation.listener().onTokens(advance.text(), advance.tokens());
    }
    advance.end().ifPresent(outcome -> end(generation, outcome, ""));
    return advance.end().isPresent();
  }

  @Override
  public void fail(Part part) {
    end(of(part.sequence()), Outcome.INTERNAL, "a step of the model failed");
  }

  /// Ends what nobody waits for any more.
  void endCancelledAndOverdue() {
    long now = device.nanoTime();
    var over = new ArrayList<Generation>(0);
    for (Generation generation : bySequence.values()) {
      if (generation.cancelled() || generation.overdue(now)) {
        over.add(generation);
      }
    }
    for (Generation generation : over) {
      if (generation.cancelled()) {
        end(generation, Outcome.CANCELLED, "the request was cancelled");
      } else {
        end(generation, Outcome.DEADLINE, "no token came before the deadline");
      }
    }
  }

  /// Ends those that `which` is true of, and keeps what they have computed for who goes on with
  /// them.
  void stop(Predicate<Generation> which) {
    for (Generation generation : bySequence.values().stream().filter(which).toList()) {
      end(generation, Outcome.UNLOADED, UNLOADED, kept.keep(generation.sequence()));
    }
  }

  /// Ends what came in by an entrance.
  void endOf(Entrance entrance) {
    endAll(generation -> generation.entrance() == entrance, Outcome.UNLOADED, UNLOADED);
  }

  /// Ends all, after a bug.
  void failAll() {
    endAll(_ -> true, Outcome.INTERNAL, "the engine failed");
  }

  /// Ends all, and what still comes.
  void close() {
    closed = true;
    endAll(_ -> true, Outcome.UNLOADED, UNLOADED);
  }

  boolean closed() {
    return closed;
  }

  private void endAll(Predicate<Generation> which, Outcome outcome, String message) {
    bySequence.values().stream()
        .filter(which)
        .toList()
        .forEach(each -> end(each, outcome, message));
  }

  /// Frees what the generation holds, and then says that it is over, so that whoever hears of it
  /// finds the place free. Does nothing the second time.
  private void end(Generation generation, Outcome outcome, String message) {
    end(generation, outcome, message, Optional.empty());
  }

  private void end(
      Generation generation, Outcome outcome, String message, Optional<KvExport> held) {
    if (bySequence.remove(generation.sequence()) == null) {
      return;
    }
    long now = device.nanoTime();
    planner.remove(generation.sequence());
    generation.leave();
    if (outcome == Outcome.STOP || outcome == Outcome.LENGTH) {
      deadlines.ended(generation.usage().completionTokens());
    }
    freed.run();
    observer.onEnded(generation.entrance().revision(), generation.summary(outcome, now));
    try {
      generation.tellEnd(outcome, message, held);
    } catch (RuntimeException | Error e) {
      held.ifPresent(KvExport::close);
      log.atWarn()
          .setCause(e)
          .addKeyValue("request", generation.request().id())
          .log("a listener failed at the end of its request");
    }
  }
}
