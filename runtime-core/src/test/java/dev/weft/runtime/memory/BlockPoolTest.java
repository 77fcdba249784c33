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

  @Test
  void aSharedBlockIsFreeWhenItsLastHolderLetsGo() {
    var pool = new BlockPool(4);
    var a = new BlockTable();
    var b = new BlockTable();
    pool.tryGrow(a, 2);
    pool.share(b, 0);
    pool.tryGrow(b, 2);

    assertThat(b.toArray()).containsExactly(0, 2);
    assertThat(pool.references(0)).isEqualTo(2);
    assertThat(pool.usedCount()).isEqualTo(3);
    assertThat(pool.release(a)).containsExactly(1);
    assertThat(pool.release(b)).containsExactly(0, 2);
    assertThatThrownBy(() -> pool.share(b, 0)).hasMessageContaining("not in use");
    assertThatThrownBy(() -> pool.share(b, 9)).hasMessageContaining("not in use");
  }

  @Test
  void aBlockCanBeReplacedByAnotherThatHoldsTheSame() {
    var pool = new BlockPool(4);
    var a = new BlockTable();
    var b = new BlockTable();
    pool.tryGrow(a, 1);
    pool.tryGrow(b, 2);

    assertThat(pool.replace(b, 0, a.block(0))).containsExactly(1);
    assertThat(b.toArray()).containsExactly(0, 2);
    assertThat(pool.replace(b, 0, a.block(0))).as("by itself").isEmpty();
    pool.checkIntegrity();
  }

  @Test
  void shrinkingMovesWhatLiesBeyondTheCapacity() {
    var pool = new BlockPool(8);
    var a = new BlockTable();
    var b = new BlockTable();
    pool.tryGrow(a, 3);
    pool.tryGrow(b, 3);
    pool.share(a, 5);
    pool.shrink(b, 2);
    pool.tryGrow(b, 4);
    pool.release(a);
    assertThat(b.toArray()).containsExactly(3, 4, 6, 7);

    pool.tryGrow(a, 1);
    var moves = pool.shrinkTo(5);

    assertThat(moves.from()).containsExactly(6, 7);
    assertThat(moves.to()).containsExactly(1, 2);
    assertThat(a.toArray()).containsExactly(0);
    assertThat(b.toArray()).containsExactly(3, 4, 1, 2);
    assertThat(pool.freeCount()).isZero();
    assertThatThrownBy(() -> pool.shrinkTo(4)).hasMessageContaining("do not fit");
    pool.checkIntegrity();
  }

  @Test
  void capacityGrowsAndShrinksByWhatIsNotInUse() {
    var pool = new BlockPool(2);
    var a = new BlockTable();
    pool.tryGrow(a, 2);
    pool.setCapacity(7);
    assertThat(pool.tryGrow(a, 6)).isTrue();
    pool.shrink(a, 4);
    pool.setCapacity(4);

    assertThat(pool.freeCount()).isZero();
    assertThatThrownBy(() -> pool.setCapacity(3)).hasMessageContaining("in use");
    pool.checkIntegrity();
  }
}
