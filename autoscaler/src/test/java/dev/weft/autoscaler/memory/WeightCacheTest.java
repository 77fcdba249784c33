package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class WeightCacheTest {
  @Test
  void thoseUsedLastStay() {
    WeightCache<String> cache = new WeightCache<>(10);
    cache.used("a", 4);
    cache.used("b", 4);
    cache.used("a", 4);
    cache.used("c", 4);
    assertThat(cache.holds("a")).isTrue();
    assertThat(cache.holds("b")).isFalse();
    assertThat(cache.holds("c")).isTrue();
    assertThat(cache.bytes()).isEqualTo(8);
  }

  @Test
  void askingIsNoUse() {
    WeightCache<String> cache = new WeightCache<>(8);
    cache.used("a", 4);
    cache.used("b", 4);
    assertThat(cache.holds("a")).isTrue();
    cache.used("c", 4);
    assertThat(cache.holds("a")).isFalse();
  }

  @Test
  void whatIsLargerThanTheCacheDisplacesNobody() {
    WeightCache<String> cache = new WeightCache<>(8);
    cache.used("a", 4);
    cache.used("large", 9);
    assertThat(cache.holds("large")).isFalse();
    assertThat(cache.holds("a")).isTrue();
  }

  @Property
  void neverHoldsMoreThanItsSize(@ForAll List<@IntRange(min = 1, max = 30) Integer> uses) {
    WeightCache<Integer> cache = new WeightCache<>(50);
    for (int size : uses) {
      cache.used(size, size);
      assertThat(cache.bytes()).isBetween((long) size, 50L);
      assertThat(cache.holds(size)).isTrue();
    }
  }
}
