package dev.weft.runtime.server;

import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.engine.GenerationListener.Times;
import dev.weft.runtime.engine.GenerationListener.Usage;
import dev.weft.runtime.engine.GenerationRequest;
import dev.weft.runtime.engine.KvExport;
import dev.weft.runtime.instance.Lease;
import dev.weft.runtime.instance.ServingModel.Generator;
import dev.weft.runtime.server.GenerationEvents.Event;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiError.Category;
import dev.weft.runtime.server.openai.Reply.Finish;
import dev.weft.runtime.server.openai.TokenUsage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One generation request from submission to its end: submits the sequences, hands what they
/// produce to the [Answer], cancels them all when the client leaves, is too slow, or one fails, and
/// gives the lease back when the last of them has ended.
final class GenerationRun {
  private static final Logger log = LoggerFactory.getLogger(GenerationRun.class);

  private final Call call;
  private final Lease lease;
  private final Generator model;
  private final GenerationPlan plan;
  private final Answer answer;
  private final GenerationEvents events;
  private final RequestTimer timer;
  private final Moves moves;

  /// Guarded by itself: submission and departure meet here.
  private final List<Submission.Admitted> admitted = new ArrayList<>();

  private boolean cancelled;

  // From here on: the context's.
  private int running;
  private TokenUsage usage = TokenUsage.NONE;
  private Times times = Times.NONE;
  private @Nullable ApiError error;

  GenerationRun(
      Call call,
      Lease lease,
      Generator model,
      GenerationPlan plan,
      ServerSettings settings,
      RequestTimer timer,
      Moves moves) {
    this.call = call;
    this.lease = lease;
    this.model = model;
    this.plan = plan;
    this.timer = timer;
    this.moves = moves;
    this.answer =
        plan.format().streamed()
            ? new StreamedAnswer(call, plan, settings.keepAliveInterval())
            : new WholeAnswer(call, plan);
    // What is not streamed is taken as it comes and bounded by the tokens that were asked for.
    int unfinished = unfinished(plan);
    int maxPendingBytes = plan.format().streamed() ? settings.maxPendingBytes() : Integer.MAX_VALUE;
    this.events =
        new GenerationEvents(
            unfinished,
            maxPendingBytes,
            () -> call.onContext(this::drain),
            () -> call.onContext(this::cut));
    this.running = unfinished;
  }

  /// Submits all sequences, once what other runtimes keep of them is here. From here on the lease
  /// is this run's.
  void start() {
    call.onDeparture(this::abandon);
    if (plan.sequences().stream().noneMatch(sequence -> sequence.kept().isPresent())) {
      submit();
      return;
    }
    try {
      moves.waiting().execute(this::bringAndSubmit);
    } catch (RejectedExecutionException e) {
      // The server ends, and with it this request.
      submit();
    }
  }

  private void bringAndSubmit() {
    List<KvArrivals.Outcome> outcomes = new ArrayList<>();
    try {
      for (GenerationPlan.Sequence sequence : plan.sequences()) {
        sequence
            .kept()
            .map(kept -> moves.arrivals().bring(model, sequence.request(), kept))
            .ifPresent(outcomes::add);
      }
      for (KvArrivals.Outcome outcome : outcomes) {
        call.onContext(() -> attempt(() -> answer.arrived(outcome.told())));
      }
    } catch (RuntimeException | Error e) {
      log.atError().setCause(e).log("a stream goes on without what it had computed elsewhere");
    }
    try {
      submit();
    } finally {
      outcomes.forEach(KvArrivals.Outcome::close);
    }
  }

  private void submit() {
    int left = unfinished(plan);
    if (left < plan.sequences().size()) {
      call.onContext(this::countOver);
    }
    for (int i = 0; i < plan.sequences().size(); i++) {
      if (plan.sequences().get(i).over()) {
        continue;
      }
      int unsubmitted = left--;
      Submission submission;
      try {
        submission = submit(model.decoder(), i);
      } catch (RuntimeException | Error e) {
        call.onContext(() -> refuse(ErrorMapping.of(e), unsubmitted));
        return;
      }
      switch (submission) {
        case Submission.Admitted sequence -> admit(sequence);
        case Submission.Rejected rejected -> {
          call.onContext(() -> refuse(ErrorMapping.of(rejected), unsubmitted));
          return;
        }
      }
    }
  }

  /// Only the first sequence is refused for being late: the rest of what was begun goes on.
  private Submission submit(DecoderInstance decoder, int index) {
    GenerationRequest request = plan.sequences().get(index).request();
    boolean inTime =
        index == 0
            && call.header(ControlApi.ADMISSION_HEADER)
                .equals(Optional.of(ControlApi.ADMISSION_IN_TIME));
    return inTime
        ? decoder.submitInTime(request, events.listener(index))
        : decoder.submit(request, events.listener(index));
  }

  private void admit(Submission.Admitted sequence) {
    boolean late;
    synchronized (admitted) {
      admitted.add(sequence);
      late = cancelled;
    }
    if (late) {
      sequence.cancel();
    }
  }

  private void cancel() {
    List<Submission.Admitted> all;
    synchronized (admitted) {
      cancelled = true;
      all = List.copyOf(admitted);
    }
    all.forEach(Submission.Admitted::cancel);
  }

  private void abandon() {
    cancel();
    // The queue of a connection that is gone never drains: take what comes from now on.
    call.onContext(this::drain);
  }

  private void refuse(ApiError error, int unsubmitted) {
    running -= unsubmitted;
    fail(error);
    drain();
  }

  /// Ends a stream whose client reads too slowly: what it has not read does not fit any more.
  private void cut() {
    fail(
        ApiError.of(
            Category.OVERLOADED, "The response was not read fast enough.", null, "slow_reader"));
    call.response().reset();
    drain();
  }

  private void drain() {
    boolean waits = error == null && !events.allEnded() && !call.departed();
    if (waits && answer.full(this::drain)) {
      events.stall();
      return;
    }
    for (Event event : events.take()) {
      attempt(() -> handle(event));
    }
    if (error == null) {
      attempt(answer::flush);
    }
    finishWhenAllEnded();
  }

  /// What fails while an answer is written ends this request; its other events are still taken, or
  /// it would never end.
  private void attempt(Runnable writing) {
    try {
      writing.run();
    } catch (RuntimeException | Error e) {
      fail(ErrorMapping.of(e));
    }
  }

  private void handle(Event event) {
    switch (event) {
      case Event.PromptScored(int choice, var prompt) -> {
        if (error == null) {
          answer.prompt(choice, prompt);
        }
      }
      case Event.Text(int choice, String text, var tokens) -> {
        timer.token();
        if (error == null && !plan.sequences().get(choice).scoreOnly()) {
          answer.text(choice, text, tokens);
        }
      }
      case Event.Took(var took) -> times = times.longest(took);
      case Event.Finished(int choice, var reason, Usage used) -> {
        running--;
        TokenUsage counted = counted(plan.sequences().get(choice), used);
        usage = usage.plus(counted);
        if (error == null) {
          Finish finish =
              plan.sequences().get(choice).scoreOnly()
                  ? Finish.LENGTH
                  : switch (reason) {
                    case STOP -> Finish.STOP;
                    case LENGTH -> Finish.LENGTH;
                  };
          answer.end(choice, finish, counted.completionTokens());
        }
      }
      case Event.Failed(int choice, GenerationError failure) -> {
        running--;
        failure.kept().ifPresent(kept -> offer(choice, kept));
        fail(ErrorMapping.of(failure));
      }
    }
  }

  /// Keeps what was computed of a choice for who goes on with this stream, if anybody can: who
  /// reads it by tokens.
  private void offer(int choice, KvExport kept) {
    if (error == null && answer.readByTokens() && !call.departed()) {
      String function = model.common().revision().function().value();
      String ticket = moves.exports().keep(kept, model.kvIdentity(), function);
      answer.kept(choice, ticket, kept.tokens());
    } else {
      kept.close();
    }
  }

  /// What was used of choices whose end has been read elsewhere. Without any other choice that is
  /// all there is to tell.
  private void countOver() {
    for (GenerationPlan.Sequence sequence : plan.sequences()) {
      if (sequence.over()) {
        int prompt = sequence.request().promptTokens().length;
        int used = sequence.begun().orElseThrow().used().orElseThrow();
        usage = usage.plus(counted(sequence, new Usage(prompt, 0, used)));
      }
    }
    finishWhenAllEnded();
  }

  private static int unfinished(GenerationPlan plan) {
    return (int) plan.sequences().stream().filter(sequence -> !sequence.over()).count();
  }

  private static TokenUsage counted(GenerationPlan.Sequence sequence, Usage used) {
    return new TokenUsage(
        sequence.countsPrompt() ? used.promptTokens() : 0,
        sequence.countsPrompt() ? used.cachedTokens() : 0,
        sequence.scoreOnly() ? 0 : used.completionTokens());
  }

  /// The first failure is the answer; the other sequences end with it.
  private void fail(ApiError failure) {
    if (error == null) {
      error = failure;
      cancel();
      if (!call.departed()) {
        tellTimes();
        answer.fail(failure);
      }
    }
  }

  private void finishWhenAllEnded() {
    if (running > 0) {
      return;
    }
    // Never twice: after this no event comes.
    running = Integer.MAX_VALUE;
    if (error == null) {
      // With the lease: an answer with log-probabilities still asks the model's tokenizer.
      attempt(() -> {
        tellTimes();
        answer.complete(usage);
      });
    }
    lease.close();
    timer.end(usage, error);
  }

  private void tellTimes() {
    if (plan.format().times() && !times.equals(Times.NONE)) {
      answer.times(
          String.format(
              Locale.ROOT,
              "queue=%.6f prefill=%.6f decode=%.6f",
              seconds(times.queue()),
              seconds(times.prefill()),
              seconds(times.decode())));
    }
  }

  private static double seconds(Duration duration) {
    return duration.toNanos() / 1e9;
  }
}
