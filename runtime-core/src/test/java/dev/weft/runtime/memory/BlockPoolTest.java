package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class BlockPoolTest {
  @Test
  void handsOutTheLowestIndexesFirst() {
    var pool = new BlockPool(6);
    var a = new BlockTable();
    var b = new BlockTable();
    pool.tryGrow(a, 2);
    pool.tryGrow(b, 2);

    assertThat(pool.release(a)).containsExactly(0, 1);
    pool.tryGrow(b, 5);

    assertThat(b.toArray()).containsExactly(2, 3, 0, 1, 4);
    assertThat(pool.highWater()).isEqualTo(5);
  }

  @Test
  void changesNothingWhenTooFewAreFree() {
    var pool = new BlockPool(3);
    var a = new BlockTable();
    var b = new BlockTable();
    pool.tryGrow(a, 2);

    assertThat(pool.tryGrow(b, 2)).isFalse();
    assertThat(b.size()).isZero();
    assertThat(pool.freeCount()).isEqualTo(1);
  }

  @Test
  void shrinksFromTheTail() {
    var pool = new BlockPool(4);
    var a = new BlockTable();
    pool.tryGrow(a, 4);

    assertThat(pool.shrink(a, 1)).containsExactly(1, 2, 3);
    assertThat(a.toArray()).containsExactly(0);
    assertThat(pool.shrink(a, 3)).isEmpty();
    assertThat(pool.usedCount()).isEqualTo(1);
  }

  @Test
  void refusesBlocksThatTheTableDoesNotHold() {
    var pool = new BlockPool(4);
    var other = new BlockPool(4);
    var a = new BlockTable();
    other.tryGrow(a, 2);

    assertThatThrownBy(() -> pool.release(a))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("not held");
    assertThat(a.size()).isEqualTo(2);
    pool.checkIntegrity();
  }

  @Test
  void releasingTwiceGivesNothingTheSecondTime() {
    var pool = new BlockPool(4);
    var a = new BlockTable();
    pool.tryGrow(a, 2);

    assertThat(pool.release(a)).hasSize(2);
    assertThat(pool.release(a)).isEmpty();
    assertThat(pool.usedCount()).isZero();
  }
}
