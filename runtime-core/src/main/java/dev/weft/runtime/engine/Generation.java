package dev.weft.runtime.engine;

import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.EngineObserver.Ended;
import dev.weft.runtime.engine.EngineObserver.Outcome;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.engine.GenerationListener.Usage;
import dev.weft.runtime.sampling.LogProbabilities;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.scheduling.StepPlan.Part;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/// One request from submission to its end: its sequence, its text so far, its times. All but
/// [#cancel] belongs to the device's thread.
final class Generation implements Engine.Submission.Admitted {
  private final Entrance entrance;
  private final GenerationRequest request;
  private final GenerationListener listener;
  private final Sequence sequence;
  private final Set<Integer> endTokens;
  private final Tokenizer.IncrementalDecoder decoder;
  private final StopStrings stops;
  private final List<SampledToken> scores = new ArrayList<>();
  private final PromptLookup lookup;
  private final long submittedNanos;
  private long startedNanos;
  private long firstTokenNanos;
  private long lastTokenNanos;
  private boolean started;
  private int completionTokens;
  private Optional<Outcome> endedBefore = Optional.empty();
  private boolean overrun;
  private volatile boolean cancelled;

  Generation(
      Entrance entrance,
      GenerationRequest request,
      GenerationListener listener,
      Tokenizer tokenizer,
      long nowNanos) {
    this.entrance = entrance;
    this.request = request;
    this.listener = listener;
    sequence =
        new Sequence(
            request.promptTokens(),
            Math.addExact(request.promptTokens().length, request.maxTokens()),
            request.scorePrompt(),
            entrance.adapter());
    endTokens = tokenizer.endTokens();
    decoder = tokenizer.incrementalDecoder(true);
    stops = new StopStrings(request.stop());
    lookup = new PromptLookup(request.promptLookupTokens());
    submittedNanos = nowNanos;
    replay();
  }

  /// Takes the tokens that were generated elsewhere. Their text has been told: text depends on
  /// tokens alone, so the decoder and the stop strings are afterwards where they were there.
  private void replay() {
    for (int token : request.generated()) {
      overrun |= endedBefore.isPresent();
      endedBefore = accept(LogProbabilities.unscored(token), submittedNanos).end();
    }
  }

  /// How it ended, if what was generated elsewhere is all there is.
  Optional<Outcome> endedBefore() {
    return endedBefore;
  }

  /// Whether what was generated elsewhere goes on after its end.
  boolean overrun() {
    return overrun;
  }

  @Override
  public void cancel() {
    // Seen at the next turn, which comes soon: the loop does not park while a request is alive.
    cancelled = true;
  }

  boolean cancelled() {
    return cancelled;
  }

  Entrance entrance() {
    return entrance;
  }

  GenerationRequest request() {
    return request;
  }

  GenerationListener listener() {
    return listener;
  }

  Sequence sequence() {
    return sequence;
  }

  /// Whether no token has come yet.
  boolean firstToken() {
    return fresh() == 0;
  }

  /// When its caller began to wait: before it was submitted, where it waited elsewhere.
  long arrivedNanos() {
    return submittedNanos - request.waited().toNanos();
  }

  /// When the first token came that was generated here.
  long firstTokenNanos() {
    return firstTokenNanos;
  }

  long lastTokenNanos() {
    return lastTokenNanos;
  }

  /// Tokens that were generated here.
  int fresh() {
    return completionTokens - request.generated().length;
  }

  /// Tells how long its reader has waited, for the first token or since the last one.
  void watch(LatencyWatch latency, long nowNanos) {
    if (firstToken()) {
      latency.first(nowNanos - submittedNanos);
    } else {
      latency.next(nowNanos - lastTokenNanos);
    }
  }

  /// Whether the deadline has passed before the first token.
  boolean overdue(long nowNanos) {
    return firstToken()
        && request.deadline().isPresent()
        && Duration.ofNanos(nowNanos - submittedNanos).compareTo(request.deadline().get()) > 0;
  }

  void markStarted(long nowNanos) {
    if (!started) {
      started = true;
      startedNanos = nowNanos;
      entrance.start();
    }
  }

  /// Gives its place up; once, at the end.
  void leave() {
    entrance.leave(started);
  }

  /// The rows of a part, as a step wants them.
  StepBatch.Entry entry(Part part) {
    int[] rows = sequence.tokens(part.from(), part.count());
    int[] draft = Arrays.copyOf(sequence.draft(), part.drafts());
    if (part.drafts() > 0) {
      rows = Arrays.copyOf(rows, part.rows());
      System.arraycopy(draft, 0, rows, part.count(), part.drafts());
    }
    return new StepBatch.Entry(
        rows,
        part.from(),
        sequence.blocks().toArray(),
        part.samples() ? sampleRequests(draft) : List.of(),
        wantsLogits(part),
        entrance.adapter());
  }

  /// Whether its next step but one can be submitted before the token is known that the next one
  /// chooses: nothing that the host makes of a step's tokens has a part in it.
  boolean runsAhead() {
    return !request.sampling().penalizes() && request.promptLookupTokens() == 0;
  }

  /// The row of a part whose token the step before chooses.
  ///
  /// @param index of the sequence's entry in that step
  StepBatch.Entry entryAhead(Part part, int index) {
    return new StepBatch.Entry(
        new int[] {StepBatch.Entry.chosenBy(index)},
        part.from(),
        sequence.blocks().toArray(),
        List.of(sampleRequest(1, sequence)),
        false,
        entrance.adapter());
  }

  /// Asks for the token after those that there are, and for those after each token of the draft.
  private List<SampleRequest> sampleRequests(int[] draft) {
    var requests = new ArrayList<SampleRequest>(1 + draft.length);
    for (int drafted = 0; drafted <= draft.length; drafted++) {
      requests.add(
          sampleRequest(
              drafted, drafted == 0 ? sequence : new DraftedHistory(sequence, draft, drafted)));
    }
    return requests;
  }

  /// Asks for the token after so many that are still to come.
  private SampleRequest sampleRequest(int later, SampleRequest.TokenHistory history) {
    boolean endBlocked = !request.ignoreEnd() && completionTokens + later < request.minTokens();
    return new SampleRequest(
        request.sampling(), sequence.length() + later, history, endBlocked ? endTokens : Set.of());
  }

  /// A sequence as it is if the first tokens of its draft are right.
  @SuppressWarnings("ArrayRecordComponent")
  private record DraftedHistory(Sequence sequence, int[] draft, int drafted)
      implements SampleRequest.TokenHistory {
    @Override
    public int promptLength() {
      return sequence.promptLength();
    }

    @Override
    public int length() {
      return sequence.length() + drafted;
    }

    @Override
    public int token(int index) {
      int beyond = index - sequence.length();
      return beyond < 0 ? sequence.token(index) : draft[Objects.checkIndex(beyond, drafted)];
    }
  }

  /// Guesses how the text goes on, if the request wants that.
  void draft() {
    if (sequence.decoding()) {
      sequence.draft(lookup.draft(sequence));
    }
  }

  /// Says how much of a draft was right.
  void checked(int drafted, int accepted) {
    lookup.checked(drafted, accepted);
  }

  /// Whether rows still have to be scored: those computed again after a preemption have been.
  boolean wantsLogits(Part part) {
    return request.scorePrompt() && scores.size() < lastScored(part.from(), part.count());
  }

  /// The number of scores that rows up to `from + count` complete: a row scores the token after it,
  /// and the first token has no score.
  private int lastScored(int from, int count) {
    return Math.min(sequence.promptLength(), from + count + 1);
  }

  /// Takes the logits of rows `from` onward.
  void score(int from, float[][] logits) {
    if (scores.isEmpty()) {
      scores.add(LogProbabilities.unscored(sequence.token(0)));
    }
    int alternatives = Math.max(0, request.sampling().topLogprobs());
    for (int next = scores.size(); next < lastScored(from, logits.length); next++) {
      scores.add(
          LogProbabilities.score(logits[next - 1 - from], sequence.token(next), alternatives));
    }
  }

  List<SampledToken> scores() {
    return List.copyOf(scores);
  }

  /// What a token brought: text to tell, and whether the generation is over.
  record Advance(String text, List<SampledToken> tokens, Optional<Outcome> end) {}

  /// Takes the next token.
  Advance accept(SampledToken sampled, long nowNanos) {
    if (firstToken()) {
      firstTokenNanos = nowNanos;
    }
    completionTokens++;
    lastTokenNanos = nowNanos;
    sequence.append(sampled.token());
    if (!request.ignoreEnd() && endTokens.contains(sampled.token())) {
      return new Advance(remainingText(), List.of(), Optional.of(Outcome.STOP));
    }
    String text = stopped(decoder.add(sampled.token()));
    Optional<Outcome> end = Optional.empty();
    if (stops.found()) {
      end = Optional.of(Outcome.STOP);
    } else if (completionTokens == request.maxTokens()) {
      text += remainingText();
      // An incomplete character at the end can still complete a stop string.
      end = Optional.of(stops.found() ? Outcome.STOP : Outcome.LENGTH);
    }
    return new Advance(text, List.of(sampled), end);
  }

  private String remainingText() {
    return stopped(decoder.finish()) + stops.finish();
  }

  /// Stop strings count from the token `minTokens` on.
  private String stopped(String text) {
    return completionTokens < request.minTokens() ? text : stops.add(text);
  }

  /// Tells the listener that it is over.
  ///
  /// @param kept what is kept of an unloaded one
  void tellEnd(Outcome outcome, String message, Optional<KvExport> kept) {
    if (fresh() > 0) {
      listener.onTimes(times());
    }
    switch (outcome) {
      case STOP -> listener.onFinish(FinishReason.STOP, usage());
      case LENGTH -> listener.onFinish(FinishReason.LENGTH, usage());
      case CANCELLED ->
          listener.onError(new GenerationError(GenerationError.Code.CANCELLED, message));
      case DEADLINE ->
          listener.onError(new GenerationError(GenerationError.Code.DEADLINE, message));
      case UNLOADED ->
          listener.onError(new GenerationError(GenerationError.Code.UNLOADED, message, kept));
      case INTERNAL ->
          listener.onError(new GenerationError(GenerationError.Code.INTERNAL, message));
    }
  }

  Usage usage() {
    return new Usage(sequence.promptLength(), sequence.reusedTokens(), completionTokens);
  }

  private GenerationListener.Times times() {
    return new GenerationListener.Times(
        Duration.ofNanos(startedNanos - submittedNanos),
        Duration.ofNanos(firstTokenNanos - startedNanos),
        Duration.ofNanos(lastTokenNanos - firstTokenNanos));
  }

  Ended summary(Outcome outcome, long nowNanos) {
    Optional<Duration> firstToken = Optional.empty();
    Optional<Duration> perToken = Optional.empty();
    if (fresh() > 0) {
      firstToken = Optional.of(Duration.ofNanos(firstTokenNanos - submittedNanos));
    }
    if (fresh() > 1) {
      perToken = Optional.of(Duration.ofNanos((nowNanos - firstTokenNanos) / (fresh() - 1)));
    }
    return new Ended(
        outcome,
        Duration.ofNanos((started ? startedNanos : nowNanos) - submittedNanos),
        firstToken,
        perToken,
        Duration.ofNanos(nowNanos - submittedNanos),
        usage());
  }
}
