package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/// Any sequence of growing, sharing, letting go and changing the capacity: a block is free exactly
/// when nobody holds it, what goes out is the lowest that is free, and every holder finds its own
/// contents wherever they were moved.
class BlockPoolPropertyTest {
  private static final int TABLES = 5;
  private static final int ACTIONS = 120;

  private final List<BlockTable> tables = new ArrayList<>();

  /// What each table believes to hold, by name, and where each thing lies.
  private final List<List<Integer>> contents = new ArrayList<>();

  private final Map<Integer, Integer> memory = new HashMap<>();
  private int names;

  @Property(tries = 500)
  void blocksAreConservedAndKeepTheirContents(@ForAll long seed) {
    var random = new SplittableRandom(seed);
    var pool = new BlockPool(random.nextInt(12));
    // One instance serves all tries.
    tables.clear();
    contents.clear();
    memory.clear();
    for (int i = 0; i < TABLES; i++) {
      tables.add(new BlockTable());
      contents.add(new ArrayList<>());
    }
    for (int i = 0; i < ACTIONS; i++) {
      int table = random.nextInt(TABLES);
      switch (random.nextInt(5)) {
        case 0, 1 -> grow(pool, table, random.nextInt(1, 5));
        case 2 -> shrink(pool, table, random.nextInt(6));
        case 3 -> share(pool, table, random.nextInt(TABLES));
        default -> resize(pool, random.nextInt(16));
      }
      check(pool);
    }
    tables.forEach(pool::release);
    assertThat(pool.usedCount()).isZero();
    assertThat(pool.highWater()).isZero();
    pool.checkIntegrity();
  }

  private void grow(BlockPool pool, int table, int count) {
    int size = tables.get(table).size();
    var free = new TreeSet<Integer>();
    IntStream.range(0, pool.blockCount()).filter(b -> !held().contains(b)).forEach(free::add);
    boolean grown = pool.tryGrow(tables.get(table), size + count);
    assertThat(grown).isEqualTo(count <= free.size());
    for (int i = size; grown && i < size + count; i++) {
      int block = tables.get(table).block(i);
      assertThat(block).as("the lowest free").isEqualTo(free.pollFirst());
      contents.get(table).add(names);
      memory.put(block, names++);
    }
  }

  private void shrink(BlockPool pool, int table, int size) {
    var before = held();
    int[] freed = pool.shrink(tables.get(table), size);
    before.removeAll(held());
    assertThat(IntStream.of(freed).boxed()).containsExactlyInAnyOrderElementsOf(before);
    var mine = contents.get(table);
    mine.subList(Math.min(size, mine.size()), mine.size()).clear();
  }

  private void share(BlockPool pool, int table, int other) {
    if (tables.get(other).size() > 0) {
      pool.share(tables.get(table), tables.get(other).block(0));
      contents.get(table).add(contents.get(other).getFirst());
    }
  }

  private void resize(BlockPool pool, int capacity) {
    if (capacity < pool.usedCount()) {
      return;
    }
    var moves = pool.shrinkTo(capacity);
    for (int i = 0; i < moves.count(); i++) {
      assertThat(moves.to()[i]).isLessThan(capacity);
      assertThat(moves.from()[i]).isGreaterThanOrEqualTo(capacity);
      memory.put(moves.to()[i], memory.remove(moves.from()[i]));
    }
  }

  private Set<Integer> held() {
    var held = new TreeSet<Integer>();
    tables.forEach(table -> IntStream.of(table.toArray()).forEach(held::add));
    return held;
  }

  private void check(BlockPool pool) {
    for (int i = 0; i < TABLES; i++) {
      var found = IntStream.of(tables.get(i).toArray()).mapToObj(memory::get).toList();
      assertThat(found).isEqualTo(contents.get(i));
    }
    assertThat(pool.usedCount()).isEqualTo(held().size());
    assertThat(pool.freeCount()).isEqualTo(pool.blockCount() - held().size());
    pool.checkIntegrity();
  }
}
