package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.autoscaler.memory.KvForecast.Sequence;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class KvForecastTest {
  private static final long HORIZON = Duration.ofSeconds(10).toNanos();
  private static final long TOKEN = Duration.ofMillis(50).toNanos();
  private static final int MOST = 1_000;

  @Test
  void sequencesThatFillTheMemoryAreSeenAhead() {
    var lengths = lengths(new Random(1));
    List<Sequence> sequences =
        List.of(
            new Sequence(100, 0, MOST, 1, TOKEN, lengths),
            new Sequence(50, 0, MOST, 1, TOKEN, lengths));
    // Both grow by 20 tokens a second: 100 more after 2.5 s, seen at the next of 16 moments.
    assertThat(KvForecast.timeToExhaustion(sequences, 250, 1, HORIZON).orElseThrow())
        .isBetween(Duration.ofMillis(2_500).toNanos(), Duration.ofMillis(3_200).toNanos());
    assertThat(KvForecast.timeToExhaustion(sequences, 10_000, 1, HORIZON)).isEmpty();
  }

  @Test
  void aSequenceIsNotTakenToOutgrowItsMost() {
    var sequence = new Sequence(100, 5, 10, 1, TOKEN, new LengthForecast());
    assertThat(KvForecast.demandBytes(List.of(sequence), HORIZON, 1)).isEqualTo(105);
    assertThatThrownBy(() -> new Sequence(1, 11, 10, 1, TOKEN, new LengthForecast()))
        .hasMessageContaining("11 of 10");
  }

  /// Many random batches with lengths of a known distribution: exhaustion within ten seconds is
  /// missed no more often than the confidence says, and never when it is 1.
  @Test
  void missesNoMoreThanItsConfidenceAllows() {
    for (double confidence : new double[] {0.9, 0.99, 1}) {
      var random = new Random(42);
      var lengths = lengths(random);
      int events = 0;
      int missed = 0;
      for (int i = 0; i < 4_000; i++) {
        int[] held = new int[20];
        int[] produced = new int[20];
        int[] total = new int[20];
        List<Sequence> sequences = new ArrayList<>();
        for (int j = 0; j < held.length; j++) {
          total[j] = length(random);
          produced[j] = random.nextInt(total[j]);
          held[j] = random.nextInt(300) + produced[j];
          sequences.add(new Sequence(held[j], produced[j], MOST, 1, TOKEN, lengths));
        }
        long capacity = random.nextLong(5_000, 7_000);
        boolean happens = peak(held, produced, total) > capacity;
        boolean foreseen =
            KvForecast.timeToExhaustion(sequences, capacity, confidence, HORIZON).isPresent();
        events += happens ? 1 : 0;
        missed += happens && !foreseen ? 1 : 0;
      }
      assertThat(events).isGreaterThan(500);
      assertThat(missed).isLessThanOrEqualTo((int) ((1 - confidence) * events));
    }
  }

  @Test
  void knowsTheNormalDistribution() {
    assertThat(KvForecast.normalQuantile(0.975)).isCloseTo(1.95996, within(5e-4));
    assertThat(KvForecast.normalQuantile(0.5)).isCloseTo(0, within(5e-4));
    assertThatThrownBy(() -> KvForecast.normalQuantile(0.4)).hasMessageContaining("0.4");
  }

  private static long peak(int[] held, int[] produced, int[] total) {
    long peak = 0;
    for (int step = 1; step <= HORIZON / TOKEN; step++) {
      long sum = 0;
      for (int j = 0; j < held.length; j++) {
        sum += produced[j] + step <= total[j] ? held[j] + step : 0;
      }
      peak = Math.max(peak, sum);
    }
    return peak;
  }

  private static LengthForecast lengths(Random random) {
    var lengths = new LengthForecast(new LengthForecast());
    for (int i = 0; i < 2_000; i++) {
      lengths.saw(length(random));
    }
    return lengths;
  }

  private static int length(Random random) {
    return Math.clamp(Math.round(Math.exp(4.8 + random.nextGaussian())), 1, MOST);
  }
}
