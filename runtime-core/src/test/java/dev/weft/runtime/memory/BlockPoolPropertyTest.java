package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/// Any sequence of growing and shrinking: no block is held twice, none is lost, and what goes out
/// is the lowest that is free.
class BlockPoolPropertyTest {
  private static final int BLOCKS = 12;
  private static final int TABLES = 4;

  record Action(int table, int size) {}

  @Property
  void everyBlockHasOneOwnerOrNone(@ForAll("actions") List<Action> actions) {
    var pool = new BlockPool(BLOCKS);
    var tables = new ArrayList<BlockTable>();
    for (int i = 0; i < TABLES; i++) {
      tables.add(new BlockTable());
    }
    for (var action : actions) {
      var table = tables.get(action.table());
      var before = table.toArray();
      if (action.size() < before.length) {
        pool.shrink(table, action.size());
      } else {
        var lowest = lowestFree(tables, action.size() - before.length);
        boolean grown = pool.tryGrow(table, action.size());
        assertThat(grown).isEqualTo(lowest.size() == action.size() - before.length);
        if (grown) {
          assertThat(IntStream.of(table.toArray()).skip(before.length).boxed().toList())
              .isEqualTo(lowest);
        }
      }
      var held = new HashSet<Integer>();
      tables.forEach(t -> IntStream.of(t.toArray()).forEach(b -> assertThat(held.add(b)).isTrue()));
      assertThat(pool.usedCount()).isEqualTo(held.size());
      assertThat(pool.freeCount()).isEqualTo(BLOCKS - held.size());
      pool.checkIntegrity();
    }
    tables.forEach(pool::release);
    assertThat(pool.usedCount()).isZero();
    assertThat(pool.highWater()).isZero();
  }

  private static List<Integer> lowestFree(List<BlockTable> tables, int count) {
    var held = new HashSet<Integer>();
    tables.forEach(table -> IntStream.of(table.toArray()).forEach(held::add));
    return IntStream.range(0, BLOCKS)
        .filter(block -> !held.contains(block))
        .limit(count)
        .boxed()
        .toList();
  }

  @Provide
  Arbitrary<List<Action>> actions() {
    return Combinators.combine(
            Arbitraries.integers().between(0, TABLES - 1),
            Arbitraries.integers().between(0, BLOCKS + 2))
        .as(Action::new)
        .list()
        .ofMaxSize(60);
  }
}
