package dev.weft.runtime.gpu;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.sampling.LogProbabilities;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SampledToken.Alternative;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.sampling.TokenRandom;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// Chooses a step's tokens on the device, a block a row or where rows are few several, as
/// [dev.weft.runtime.sampling.HostSampler] would on the host from the same logits. Only tokens come
/// back, and what the log-probabilities that were asked for are made of.
///
/// The token is the host's but where the draw or the end of a nucleus is within [#MARGIN] of the
/// sum of all weights from a token's bound: weights are rounded otherwise. Log-probabilities are
/// within as much, and a rounding to float32.
final class StepSampling implements AutoCloseable {
  static final double MARGIN = 1e-6;

  // `struct Sample` of `sampling.cuh`
  private static final long SAMPLE_BYTES = 72;
  private static final long TOP_P = 0;
  private static final long BELOW_LARGEST = 8;
  private static final long UNIFORM = 16;
  private static final long SCALE = 24;
  private static final long SCALE_REST = 28;
  private static final long REPETITION_PENALTY = 32;
  private static final long FREQUENCY_PENALTY = 36;
  private static final long PRESENCE_PENALTY = 40;
  private static final long ROW = 44;
  private static final long FIRST_ADJUSTMENT = 48;
  private static final long ADJUSTMENTS = 52;
  private static final long TOP_K = 56;
  private static final long ALTERNATIVES = 60;
  private static final long DRAWN = 64;

  // `struct Answer`
  private static final long ANSWER_BYTES = 24;
  private static final long SUM = 0;
  private static final long TOKEN = 8;
  private static final long LOGIT = 12;
  private static final long LARGEST = 16;

  // `struct Alternative`
  private static final long ALTERNATIVE_BYTES = 8;
  private static final long ALTERNATIVE_LOGIT = 4;

  /// As many as an API lets ask for.
  private static final int USUAL_ALTERNATIVES = 20;

  /// `WEIGHT_BITS`: what the largest logit weighs, and how many tokens' weights have a sum.
  private static final double LARGEST_WEIGHT = 0x1p42;

  static final int MOST_TOKENS = (1 << 21) - 1;

  private static final int THREADS = 1024;

  /// `TOGETHER`: blocks that share a row.
  private static final int TOGETHER = 8;

  /// Logits of a row that is shared: fewer are few for each thread of one block.
  private static final int LEAST_SHARED = 1 << 15;

  /// No float32 times a larger one is not infinite.
  private static final double MOST_SCALE = 1e30;

  private static final Comparator<Candidate> LIKELIEST_FIRST =
      (a, b) ->
          a.logit() != b.logit()
              ? (a.logit() > b.logit() ? -1 : 1)
              : Integer.compare(a.token(), b.token());

  private final GpuDevice device;
  private final int vocabularySize;
  private final int mostTogether;
  private final StepLauncher launcher;
  private final MirroredBuffer samples;
  private final LogitAdjustments adjustments;
  private final MirroredBuffer answers;
  private int count;

  /// Alternatives of the request that wants most of them.
  private int mostAlternatives;

  private record Candidate(int token, float logit) {}

  /// @param requests as many as a step usually has at most
  /// @param arena for as long as this is used
  StepSampling(GpuDevice device, int vocabularySize, int requests, Arena arena) {
    this(
        device,
        vocabularySize,
        requests,
        arena,
        device.runsTogether() && vocabularySize >= LEAST_SHARED
            ? device.multiprocessors() / TOGETHER
            : 0);
  }

  /// @param mostTogether rows up to which several blocks share one: all of them run at once
  StepSampling(GpuDevice device, int vocabularySize, int requests, Arena arena, int mostTogether) {
    this.device = device;
    this.vocabularySize = vocabularySize;
    this.mostTogether = mostTogether;
    launcher = new StepLauncher(device, arena);
    samples = new MirroredBuffer(device.context(), requests * SAMPLE_BYTES);
    try {
      answers = new MirroredBuffer(device.context(), answerBytes(requests, USUAL_ALTERNATIVES));
      try {
        adjustments = new LogitAdjustments(device.context(), vocabularySize, requests);
      } catch (RuntimeException | Error e) {
        answers.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      samples.close();
      throw e;
    }
  }

  private static long answerBytes(int requests, int alternatives) {
    return requests * (ANSWER_BYTES + alternatives * ALTERNATIVE_BYTES);
  }

  /// Forgets what was asked for; nothing of it may be under way.
  void begin() {
    count = 0;
    mostAlternatives = 0;
    adjustments.clear();
  }

  /// Asks for the token after a row, and returns the request's number.
  ///
  /// @param row of the logits
  int add(SampleRequest request, int row) {
    samples.require((count + 1) * SAMPLE_BYTES);
    SamplingParameters parameters = request.parameters();
    MemorySegment to = samples.host().asSlice(count * SAMPLE_BYTES, SAMPLE_BYTES);
    to.set(JAVA_INT, ROW, row);
    to.set(JAVA_INT, FIRST_ADJUSTMENT, adjustments.count());
    to.set(JAVA_INT, ADJUSTMENTS, adjustments.add(request) - to.get(JAVA_INT, FIRST_ADJUSTMENT));
    to.set(JAVA_FLOAT, REPETITION_PENALTY, (float) parameters.repetitionPenalty());
    to.set(JAVA_FLOAT, FREQUENCY_PENALTY, (float) parameters.frequencyPenalty());
    to.set(JAVA_FLOAT, PRESENCE_PENALTY, (float) parameters.presencePenalty());
    to.set(JAVA_INT, ALTERNATIVES, parameters.topLogprobs());
    to.set(JAVA_INT, DRAWN, parameters.greedy() ? 0 : 1);
    if (!parameters.greedy()) {
      double scale = Math.min(MOST_SCALE, DecoderKernels.LOG2_E / parameters.temperature());
      to.set(JAVA_FLOAT, SCALE, (float) scale);
      to.set(JAVA_FLOAT, SCALE_REST, (float) (scale - (float) scale));
      to.set(JAVA_INT, TOP_K, parameters.topK());
      to.set(JAVA_DOUBLE, TOP_P, parameters.topP());
      to.set(
          JAVA_DOUBLE,
          BELOW_LARGEST,
          parameters.minP() == 0
              ? Double.NEGATIVE_INFINITY
              : Math.log(parameters.minP()) * parameters.temperature());
      to.set(JAVA_DOUBLE, UNIFORM, TokenRandom.uniform(parameters.seed(), request.position()));
    }
    mostAlternatives =
        Math.max(mostAlternatives, Math.min(parameters.topLogprobs(), vocabularySize));
    return count++;
  }

  /// Submits everything that was asked for.
  ///
  /// @param logits of all rows
  /// @param chosen of each row the largest logit's index, and then its token, or -1
  void submit(long logits, long chosen) {
    if (count == 0) {
      return;
    }
    answers.require(answerBytes(count, mostAlternatives));
    device.stream()
        .copyToDevice(samples.host().asSlice(0, count * SAMPLE_BYTES), samples.address());
    adjustments.copy(device.stream());
    launcher.begin();
    launcher
        .parameters()
        .start()
        .struct()
        .addLong(logits)
        .addInt(vocabularySize)
        .addLong(chosen)
        .addLong(samples.address())
        .addLong(adjustments.address())
        .addLong(answers.address())
        .addLong(answers.address() + alternatives(0))
        .addInt(mostAlternatives);
    if (count <= mostTogether) {
      launcher.launch(
          KernelUnit.SAMPLING, "sample_together", LaunchGrid.of(count * TOGETHER, THREADS));
    } else {
      launcher.launch(KernelUnit.SAMPLING, "sample", LaunchGrid.of(count, THREADS));
    }
    device.stream()
        .copyToHost(
            answers.address(), answers.host().asSlice(0, answerBytes(count, mostAlternatives)));
  }

  /// Where a request's alternatives are.
  private long alternatives(int number) {
    return count * ANSWER_BYTES + (long) number * mostAlternatives * ALTERNATIVE_BYTES;
  }

  /// The token of a request, once the step is done; none where the logits are not finite numbers,
  /// or rule every token out.
  Optional<SampledToken> take(int number, SampleRequest request) {
    MemorySegment answer = answers.host().asSlice(number * ANSWER_BYTES, ANSWER_BYTES);
    int token = answer.get(JAVA_INT, TOKEN);
    if (token < 0) {
      return Optional.empty();
    }
    int alternatives = Math.min(request.parameters().topLogprobs(), vocabularySize);
    if (alternatives < 0) {
      return Optional.of(LogProbabilities.unscored(token));
    }
    double logSum =
        answer.get(JAVA_FLOAT, LARGEST) + Math.log(answer.get(JAVA_LONG, SUM) / LARGEST_WEIGHT);
    return Optional.of(
        new SampledToken(
            token,
            (float) (answer.get(JAVA_FLOAT, LOGIT) - logSum),
            mostLikely(number, alternatives, logSum)));
  }

  private List<Alternative> mostLikely(int number, int alternatives, double logSum) {
    var candidates = new ArrayList<Candidate>(alternatives);
    for (int i = 0; i < alternatives; i++) {
      long at = alternatives(number) + i * ALTERNATIVE_BYTES;
      candidates.add(
          new Candidate(
              answers.host().get(JAVA_INT, at),
              answers.host().get(JAVA_FLOAT, at + ALTERNATIVE_LOGIT)));
    }
    candidates.sort(LIKELIEST_FIRST);
    return candidates.stream()
        .map(each -> new Alternative(each.token(), (float) (each.logit() - logSum)))
        .toList();
  }

  @Override
  public void close() {
    adjustments.close();
    answers.close();
    samples.close();
  }
}
