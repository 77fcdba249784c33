package dev.weft.runtime.engine;

import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.sampling.SamplingParameters;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Generation requests for tests: greedy, to be changed one thing at a time.
@SuppressWarnings("ArrayRecordComponent")
public record Requests(
    int[] prompt,
    SamplingParameters sampling,
    int maxTokens,
    int minTokens,
    List<String> stop,
    boolean ignoreEnd,
    boolean scorePrompt,
    int promptLookupTokens,
    Optional<Duration> deadline) {
  public static Requests of(int... prompt) {
    return new Requests(
        prompt, SamplingParameters.GREEDY, 32, 0, List.of(), false, false, 0, Optional.empty());
  }

  /// A prompt for [ByteTokenizer].
  public static Requests ask(String text) {
    return of(ByteTokenizer.prompt(text));
  }

  public Requests maxTokens(int value) {
    return new Requests(
        prompt,
        sampling,
        value,
        minTokens,
        stop,
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        deadline);
  }

  public Requests minTokens(int value) {
    return new Requests(
        prompt,
        sampling,
        maxTokens,
        value,
        stop,
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        deadline);
  }

  public Requests stop(String... value) {
    return new Requests(
        prompt,
        sampling,
        maxTokens,
        minTokens,
        List.of(value),
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        deadline);
  }

  public Requests ignoringEnd() {
    return new Requests(
        prompt,
        sampling,
        maxTokens,
        minTokens,
        stop,
        true,
        scorePrompt,
        promptLookupTokens,
        deadline);
  }

  /// Scores the prompt, with alternatives.
  public Requests scored(int alternatives) {
    var scoring = new SamplingParameters(0, 0, 1, 0, 0, 0, 1, Map.of(), 0, alternatives);
    return new Requests(
        prompt, scoring, maxTokens, minTokens, stop, ignoreEnd, true, promptLookupTokens, deadline);
  }

  public Requests deadline(Duration value) {
    return new Requests(
        prompt,
        sampling,
        maxTokens,
        minTokens,
        stop,
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        Optional.of(value));
  }

  /// Samples at temperature 1.
  public Requests seed(long seed) {
    var sampled = new SamplingParameters(1, 0, 1, 0, 0, 0, 1, Map.of(), seed, -1);
    return new Requests(
        prompt,
        sampled,
        maxTokens,
        minTokens,
        stop,
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        deadline);
  }

  public Requests sampling(SamplingParameters value) {
    return new Requests(
        prompt,
        value,
        maxTokens,
        minTokens,
        stop,
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        deadline);
  }

  /// Guesses so many tokens at a time.
  public Requests guessing(int tokens) {
    return new Requests(
        prompt, sampling, maxTokens, minTokens, stop, ignoreEnd, scorePrompt, tokens, deadline);
  }

  public GenerationRequest build() {
    return new GenerationRequest(
        "test",
        prompt,
        sampling,
        maxTokens,
        minTokens,
        stop,
        ignoreEnd,
        scorePrompt,
        promptLookupTokens,
        deadline);
  }

  /// Submits it and fails unless it is admitted.
  public RecordingListener submitTo(DecoderInstance instance) {
    var listener = new RecordingListener();
    switch (instance.submit(build(), listener)) {
      case Submission.Admitted _ -> {}
      case Submission.Rejected rejected -> throw new AssertionError(rejected);
    }
    return listener;
  }

  /// Submits it and waits for its end.
  public RecordingListener.End run(DecoderInstance instance) {
    return submitTo(instance).await();
  }
}
