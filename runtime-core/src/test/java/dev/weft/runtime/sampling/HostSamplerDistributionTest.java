package dev.weft.runtime.sampling;

import static dev.weft.runtime.sampling.SamplingCases.history;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every filter against its plain definition: the very same token for the same draw, and the right
/// frequencies over many draws.
class HostSamplerDistributionTest {
  private static final int DRAWS = 40_000;

  private final HostSampler sampler = new HostSampler();

  /// The seed is fixed because the sampler adjusts logits in float32: a cut that falls within
  /// rounding of a token's share may go either way.
  @Property(tries = 3_000, seed = "20261122", edgeCases = EdgeCasesMode.MIXIN)
  void choosesAsThePlainDefinitionDoes(
      @ForAll long seed,
      @ForAll @IntRange(min = 1, max = 70) int vocabulary,
      @ForAll @DoubleRange(min = 0, max = 3) double temperature,
      @ForAll @IntRange(max = 12) int topK,
      @ForAll @DoubleRange(min = 0.01, max = 1) double topP,
      @ForAll @DoubleRange(max = 1) double minP,
      @ForAll @DoubleRange(min = -2, max = 2) double presence,
      @ForAll @DoubleRange(min = -2, max = 2) double frequency,
      @ForAll @DoubleRange(min = 0.5, max = 2) double repetition) {
    var random = new SplittableRandom(seed);
    float[] logits = new float[vocabulary];
    for (int i = 0; i < vocabulary; i++) {
      // Quarters, so that equal logits are common.
      logits[i] = random.nextInt(-40, 40) / 4f;
    }
    int[] tokens = random.ints(8, 0, vocabulary).toArray();
    var bias = Map.of(random.nextInt(vocabulary), (float) random.nextInt(-5, 5));
    var blocked = vocabulary > 1 ? Set.of(random.nextInt(vocabulary)) : Set.<Integer>of();
    var parameters =
        new SamplingParameters(
            temperature, topK, topP, minP, presence, frequency, repetition, bias, seed, -1);
    var request = new SampleRequest(parameters, 9, history(4, tokens), blocked);

    var distribution = PlainSampler.distribution(logits, request);
    double uniform = TokenRandom.uniform(seed, 9);
    int chosen = sampler.sample(logits.clone(), request).token();

    assertThat(distribution).containsKey(chosen);
    double before = 0;
    for (var entry : distribution.entrySet()) {
      if (entry.getKey() == chosen) {
        // The draw falls into the chosen token's share. The sampler adjusts in float32.
        assertThat(uniform).isBetween(before - 1e-5, before + entry.getValue() + 1e-5);
        break;
      }
      before += entry.getValue();
    }
  }

  static Stream<SamplingParameters> filters() {
    return Stream.of(
        SamplingCases.truncated(1, 0, 1, 0),
        SamplingCases.truncated(0.5, 0, 1, 0),
        SamplingCases.truncated(2, 5, 1, 0),
        SamplingCases.truncated(1, 0, 0.8, 0),
        SamplingCases.truncated(1, 0, 1, 0.1),
        SamplingCases.truncated(1.3, 6, 0.9, 0.05));
  }

  /// Chi-square with a fixed seed: 40,000 positions, a quantile that a right sampler passes all but
  /// once in 10,000 seeds (and this seed is fixed).
  @ParameterizedTest
  @MethodSource("filters")
  void frequenciesFollowTheDistribution(SamplingParameters parameters) {
    float[] logits = {1.5f, 0, -1, 2, 0.5f, 0.5f, -3, 1, 0.25f, -0.5f};
    var expected = PlainSampler.distribution(logits, SamplingCases.request(parameters, 0));
    var counts = new HashMap<Integer, Integer>();
    for (int position = 0; position < DRAWS; position++) {
      var request = SamplingCases.request(parameters, position);
      counts.merge(sampler.sample(logits.clone(), request).token(), 1, Integer::sum);
    }

    assertThat(expected.keySet()).containsAll(counts.keySet());
    double chiSquare = 0;
    for (var entry : expected.entrySet()) {
      double expectedCount = entry.getValue() * DRAWS;
      double difference = counts.getOrDefault(entry.getKey(), 0) - expectedCount;
      chiSquare += difference * difference / expectedCount;
    }
    assertThat(chiSquare).isLessThan(quantile(expected.size() - 1));
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void drawsAreUniformOverPositionsAndSeeds(long seed) {
    double overPositions = 0;
    double overSeeds = 0;
    for (int i = 0; i < DRAWS; i++) {
      overPositions += TokenRandom.uniform(seed, i);
      overSeeds += TokenRandom.uniform(seed + i, 7);
    }
    // Five standard deviations of a mean of uniforms.
    double tolerance = 5 / Math.sqrt(12.0 * DRAWS);
    assertThat(overPositions / DRAWS).isCloseTo(0.5, within(tolerance));
    assertThat(overSeeds / DRAWS).isCloseTo(0.5, within(tolerance));
  }

  static Stream<Long> seeds() {
    return Stream.of(0L, 1L, -1L, 42L, Long.MIN_VALUE);
  }

  /// The 0.9999 quantile of chi-square, by Wilson and Hilferty's approximation.
  private static double quantile(int degrees) {
    double spread = 2.0 / (9 * degrees);
    return degrees * Math.pow(1 - spread + 3.719 * Math.sqrt(spread), 3);
  }
}
