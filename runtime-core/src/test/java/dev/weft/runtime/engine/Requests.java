package dev.weft.runtime.engine;

import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.sampling.SamplingParameters;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/// Generation requests for tests: greedy, to be changed one thing at a time. Immutable; a change
/// gives another.
public final class Requests {
  private final int[] prompt;
  private SamplingParameters sampling = SamplingParameters.GREEDY;
  private int maxTokens = 32;
  private int minTokens;
  private List<String> stop = List.of();
  private boolean ignoreEnd;
  private boolean scorePrompt;
  private int promptLookupTokens;
  private Optional<Duration> deadline = Optional.empty();

  private Requests(int[] prompt) {
    this.prompt = prompt.clone();
  }

  public static Requests of(int... prompt) {
    return new Requests(prompt);
  }

  /// A prompt for [ByteTokenizer].
  public static Requests ask(String text) {
    return of(ByteTokenizer.prompt(text));
  }

  private Requests with(Consumer<Requests> change) {
    var changed = new Requests(prompt);
    changed.sampling = sampling;
    changed.maxTokens = maxTokens;
    changed.minTokens = minTokens;
    changed.stop = stop;
    changed.ignoreEnd = ignoreEnd;
    changed.scorePrompt = scorePrompt;
    changed.promptLookupTokens = promptLookupTokens;
    changed.deadline = deadline;
    change.accept(changed);
    return changed;
  }

  public int[] prompt() {
    return prompt.clone();
  }

  public Requests maxTokens(int value) {
    return with(changed -> changed.maxTokens = value);
  }

  public Requests minTokens(int value) {
    return with(changed -> changed.minTokens = value);
  }

  public Requests stop(String... value) {
    return with(changed -> changed.stop = List.of(value));
  }

  public Requests ignoringEnd() {
    return with(changed -> changed.ignoreEnd = true);
  }

  /// Scores the prompt, with alternatives.
  public Requests scored(int alternatives) {
    var scoring = new SamplingParameters(0, 0, 1, 0, 0, 0, 1, Map.of(), 0, alternatives);
    return with(changed -> {
      changed.sampling = scoring;
      changed.scorePrompt = true;
    });
  }

  public Requests deadline(Duration value) {
    return with(changed -> changed.deadline = Optional.of(value));
  }

  /// With all the time that it takes, and nothing guessed: the answer is the same.
  public Requests undisturbed() {
    return with(changed -> {
      changed.deadline = Optional.empty();
      changed.promptLookupTokens = 0;
    });
  }

  /// Samples at temperature 1.
  public Requests seed(long seed) {
    return sampling(new SamplingParameters(1, 0, 1, 0, 0, 0, 1, Map.of(), seed, -1));
  }

  public Requests sampling(SamplingParameters value) {
    return with(changed -> changed.sampling = value);
  }

  /// Guesses so many tokens at a time.
  public Requests guessing(int tokens) {
    return with(changed -> changed.promptLookupTokens = tokens);
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
