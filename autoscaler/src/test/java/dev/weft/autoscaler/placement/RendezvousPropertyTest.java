package dev.weft.autoscaler.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.instance.DeviceId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.AlphaChars;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;

class RendezvousPropertyTest {
  @Property
  void keepsTheOrderOfTheOthersWhenOneGoes(
      @ForAll @AlphaChars @StringLength(min = 1, max = 20) String key,
      @ForAll @IntRange(min = 2, max = 30) int deviceCount,
      @ForAll long seed) {
    List<DeviceId> devices = devices(deviceCount);
    DeviceId gone = devices.get(new Random(seed).nextInt(deviceCount));
    List<DeviceId> expected = new ArrayList<>(Rendezvous.order(key, devices));
    expected.remove(gone);

    assertThat(Rendezvous.order(key, devices.stream().filter(d -> !d.equals(gone)).toList()))
        .isEqualTo(expected);
  }

  @Property
  void doesNotDependOnTheOrderOfTheSnapshot(
      @ForAll @AlphaChars @StringLength(min = 1, max = 20) String key, @ForAll long seed) {
    List<DeviceId> shuffled = new ArrayList<>(devices(12));
    Collections.shuffle(shuffled, new Random(seed));
    assertThat(Rendezvous.order(key, shuffled)).isEqualTo(Rendezvous.order(key, devices(12)));
  }

  /// 8,000 functions over 8 devices: 1,000 each on average, with a standard deviation of 30 when
  /// the hash is good; five of them are allowed.
  @Test
  void spreadsFunctionsEvenly() {
    Map<DeviceId, Integer> counts = new HashMap<>();
    for (int i = 0; i < 8_000; i++) {
      counts.merge(Rendezvous.order("function-" + i, devices(8)).getFirst(), 1, Integer::sum);
    }
    assertThat(counts).hasSize(8);
    assertThat(counts.values()).allSatisfy(count -> assertThat(count).isBetween(850, 1_150));
  }

  private static List<DeviceId> devices(int count) {
    return IntStream.range(0, count).mapToObj(i -> new DeviceId("cpu-" + i)).toList();
  }
}
