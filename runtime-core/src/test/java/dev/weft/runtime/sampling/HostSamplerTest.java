package dev.weft.runtime.sampling;

import static dev.weft.runtime.sampling.SamplingCases.PLAIN;
import static dev.weft.runtime.sampling.SamplingCases.biased;
import static dev.weft.runtime.sampling.SamplingCases.history;
import static dev.weft.runtime.sampling.SamplingCases.penalized;
import static dev.weft.runtime.sampling.SamplingCases.reporting;
import static dev.weft.runtime.sampling.SamplingCases.request;
import static dev.weft.runtime.sampling.SamplingCases.truncated;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.runtime.sampling.SampledToken.Alternative;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class HostSamplerTest {
  private final HostSampler sampler = new HostSampler();

  @Test
  void greedyTakesTheLowestOfEqualTokens() {
    assertThat(greedy(1, 5, 3, 5, 5)).isEqualTo(1);
  }

  @Test
  void biasAndBlockedTokensMoveTheChoice() {
    assertThat(choose(biased(0, Map.of(2, 10f)), history(0), Set.of(), 5, 4, 3)).isEqualTo(2);
    assertThat(choose(biased(0, Map.of(0, -100f)), history(0), Set.of(), 5, 4, 3)).isEqualTo(1);
    assertThat(choose(biased(0, Map.of()), history(0), Set.of(0, 1), 5, 4, 3)).isEqualTo(2);
    assertThat(choose(biased(0, Map.of(7, 9f)), history(0), Set.of(9), 5, 4, 3))
        .as("tokens outside the vocabulary change nothing")
        .isZero();
  }

  @Test
  void repetitionPenaltyCountsThePromptAndActsOnce() {
    // 8 / 2 = 4 < 5; a second application would also hide a token at 3.
    assertThat(choose(penalized(0, 0, 2), history(2, 0, 0), Set.of(), 8, 5, 3)).isEqualTo(1);
    assertThat(choose(penalized(0, 0, 2), history(2, 0, 0), Set.of(), 8, 3, 3)).isZero();
    assertThat(choose(penalized(0, 0, 2), history(1, 0), Set.of(), -1, -1.5f)).isEqualTo(1);
  }

  @Test
  void presenceAndFrequencyPenaltiesCountGeneratedTokensOnly() {
    assertThat(choose(penalized(1, 0, 1), history(2, 0, 0), Set.of(), 5, 4.5f)).isZero();
    assertThat(choose(penalized(1, 0, 1), history(1, 0, 0), Set.of(), 5, 4.5f)).isEqualTo(1);
    // Presence is flat, frequency grows with the count.
    assertThat(choose(penalized(1, 0, 1), history(0, 0, 0, 0), Set.of(), 5, 3.5f)).isZero();
    assertThat(choose(penalized(0, 1, 1), history(0, 0, 0), Set.of(), 5, 3.5f)).isEqualTo(1);
  }

  @Test
  void scratchOfOneRequestDoesNotLeakIntoTheNext() {
    var parameters = penalized(2, 0, 1);
    for (int i = 0; i < 3; i++) {
      assertThat(choose(parameters, history(0, 0), Set.of(), 5, 4)).isEqualTo(1);
      assertThat(choose(parameters, history(0, 1), Set.of(), 5, 4)).isZero();
    }
  }

  @Test
  void logprobsAreOfTheModelsOwnDistribution() {
    var parameters = reporting(0, 2, Map.of(3, 100f));
    float[] logits = {0, (float) Math.log(2), (float) Math.log(4), (float) Math.log(1)};

    var sampled = sampler.sample(logits, request(parameters, 0));

    assertThat(sampled.token()).as("the bias decides").isEqualTo(3);
    assertThat(sampled.logprob()).isCloseTo((float) Math.log(1 / 8.0), within(1e-6f));
    assertThat(sampled.alternatives()).extracting(Alternative::token).containsExactly(2, 1);
    assertThat(sampled.alternatives().get(0).logprob())
        .isCloseTo((float) Math.log(0.5), within(1e-6f));
  }

  @Test
  void noLogprobsUnlessAskedFor() {
    var sampled = sampler.sample(new float[] {1, 2}, request(PLAIN, 0));
    assertThat(sampled.logprob()).isNaN();
    assertThat(sampled.alternatives()).isEmpty();

    var zero = sampler.sample(new float[] {1, 2}, request(reporting(0, 0, Map.of()), 0));
    assertThat(zero.logprob()).isCloseTo(-0.313262f, within(1e-5f));
    assertThat(zero.alternatives()).isEmpty();
  }

  @Test
  void theDrawIsAFunctionOfSeedAndPosition() {
    float[] flat = new float[1_000];
    var tokens = new HashSet<Integer>();
    for (int position = 0; position < 50; position++) {
      int first = sampler.sample(flat.clone(), request(PLAIN, position)).token();
      int again = new HostSampler().sample(flat.clone(), request(PLAIN, position)).token();
      assertThat(again).isEqualTo(first);
      tokens.add(first);
    }
    assertThat(tokens).as("positions draw independently").hasSizeGreaterThan(40);
  }

  @Test
  void tinyTemperaturesAreAlmostGreedy() {
    for (double temperature : new double[] {1e-3, 1e-300, Double.MIN_VALUE}) {
      assertThat(choose(truncated(temperature, 0, 1, 0), history(0), Set.of(), 1, 3, 2))
          .isEqualTo(1);
      assertThat(choose(truncated(temperature, 2, 0.9, 0.1), history(0), Set.of(), 1, 3, 2))
          .isEqualTo(1);
    }
  }

  @Test
  void namesTheTokenWhoseLogitIsNotANumber() {
    for (var parameters : new SamplingParameters[] {SamplingParameters.GREEDY, PLAIN}) {
      assertThatThrownBy(
              () -> sampler.sample(new float[] {1, Float.NaN, 2}, request(parameters, 0)))
          .isInstanceOf(SamplingException.class)
          .hasMessage("the logit of token 1 is not a number");
    }
    assertThatThrownBy(
            () -> sampler.sample(new float[] {1, Float.POSITIVE_INFINITY}, request(PLAIN, 0)))
        .hasMessage("the logit of token 1 is infinite");
    assertThatThrownBy(() -> choose(biased(1, Map.of()), history(0), Set.of(0, 1), 1, 2))
        .hasMessage("every token is ruled out");
  }

  @Test
  void parametersOutOfRangeAreRefused() {
    assertThatThrownBy(() -> truncated(-1, 0, 1, 0))
        .hasMessage("temperature is out of range: -1.0");
    assertThatThrownBy(() -> truncated(1, -1, 1, 0)).hasMessageContaining("topK");
    assertThatThrownBy(() -> truncated(1, 0, 0, 0)).hasMessageContaining("topP");
    assertThatThrownBy(() -> truncated(1, 0, Double.NaN, 0)).hasMessageContaining("topP");
    assertThatThrownBy(() -> truncated(1, 0, 1, 1.1)).hasMessageContaining("minP");
    assertThatThrownBy(() -> penalized(0, 0, 0)).hasMessageContaining("repetitionPenalty");
  }

  private int greedy(float... logits) {
    return sampler.sample(logits, request(SamplingParameters.GREEDY, 0)).token();
  }

  private int choose(
      SamplingParameters parameters,
      SampleRequest.TokenHistory history,
      Set<Integer> blocked,
      float... logits) {
    return sampler.sample(logits, new SampleRequest(parameters, 0, history, blocked)).token();
  }
}
