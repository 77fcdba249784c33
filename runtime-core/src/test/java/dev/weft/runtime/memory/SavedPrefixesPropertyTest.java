package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;
import org.jspecify.annotations.Nullable;

/// Random readers on too few blocks, with a store that is too small and fails now and then: every
/// block that the cache gives or brings back holds the text that leads to it, and in the end every
/// block and every slot is free.
class SavedPrefixesPropertyTest {
  private static final int BLOCK_TOKENS = 2;
  private static final int BLOCKS = 10;

  /// Contents of blocks and slots: the text that they hold.
  private final Map<Integer, List<Integer>> memory = new HashMap<>();

  private final Map<Integer, List<Integer>> slots = new HashMap<>();
  private final List<Reader> readers = new ArrayList<>();
  private final List<Reader> putBack = new ArrayList<>();
  private static int restored;
  private static int copied;

  @AfterContainer
  static void someCameBack() {
    assertThat(restored).isPositive();
    assertThat(copied).isPositive();
  }

  private static final class Reader {
    private final List<Integer> text;
    private final BlockTable table = new BlockTable();
    private PrefixCache.Path path;
    private PrefixCache.@Nullable Claim claim;

    Reader(List<Integer> text, PrefixCache.Path path) {
      this.text = text;
      this.path = path;
    }

    List<Integer> prefix(int index) {
      return text.subList(0, (index + 1) * BLOCK_TOKENS);
    }

    int[] tokens(int index) {
      var block = text.subList(index * BLOCK_TOKENS, (index + 1) * BLOCK_TOKENS);
      return block.stream().mapToInt(t -> t).toArray();
    }

    boolean ended() {
      return (path.length() + 1) * BLOCK_TOKENS >= text.size();
    }
  }

  private final class Store implements BlockStore {
    private final SplittableRandom random;
    private final int capacity;
    private int next;

    Store(SplittableRandom random) {
      this.random = random;
      capacity = random.nextInt(12);
    }

    @Override
    public int save(int block, int index) {
      if (slots.size() >= capacity || random.nextInt(10) == 0) {
        return NOT_SAVED;
      }
      var text = memory.get(block);
      assertThat(text).hasSize((index + 1) * BLOCK_TOKENS);
      slots.put(next, text);
      return next++;
    }

    @Override
    public boolean full() {
      return slots.size() >= capacity;
    }

    @Override
    public int saveAhead(int block, int index) {
      int slot = random.nextInt(3) == 0 ? NOT_SAVED : save(block, index);
      copied += slot == NOT_SAVED ? 0 : 1;
      return slot;
    }

    @Override
    public boolean fetchAhead(int slot) {
      assertThat(slots).containsKey(slot);
      return random.nextInt(4) > 0;
    }

    @Override
    public boolean load(int slot, int block) {
      var text = slots.remove(slot);
      assertThat(text).isNotNull();
      if (random.nextInt(10) == 0) {
        return false;
      }
      memory.put(block, text);
      return true;
    }

    @Override
    public void drop(int slot) {
      assertThat(slots.remove(slot)).isNotNull();
    }
  }

  @Property(tries = 500)
  void whatComesBackIsWhatWentAndNothingIsLost(@ForAll long seed) {
    memory.clear();
    slots.clear();
    readers.clear();
    putBack.clear();
    var random = new SplittableRandom(seed);
    var pool = new BlockPool(BLOCKS);
    var cache = new PrefixCache(pool, BLOCK_TOKENS, new Store(random));
    for (int i = 0; i < 200; i++) {
      switch (random.nextInt(8)) {
        case 0 -> begin(cache, pool, random);
        case 1, 2, 3 -> go(cache, pool, random);
        case 4 -> stop(cache, pool, random);
        case 5 -> cache.saveAhead();
        case 6 -> putBack.forEach(reader -> cache.fetchAhead(Objects.requireNonNull(reader.claim)));
        default -> comeBack(cache, pool, random);
      }
      pool.checkIntegrity();
    }
    while (!readers.isEmpty()) {
      stop(cache, pool, random);
    }
    putBack.forEach(reader -> cache.unclaim(Objects.requireNonNull(reader.claim)));
    cache.clear();
    assertThat(pool.usedCount()).isZero();
    assertThat(cache.idleBlocks()).isZero();
    assertThat(slots).isEmpty();
  }

  private void begin(PrefixCache cache, BlockPool pool, SplittableRandom random) {
    var text = new ArrayList<Integer>();
    random.ints(2L * (1 + random.nextInt(6)), 0, 2).forEach(text::add);
    var reader = new Reader(text, cache.enter(0));
    readers.add(reader);
    follow(cache, pool, reader);
  }

  private void follow(PrefixCache cache, BlockPool pool, Reader reader) {
    while (!reader.ended() && reader.table.size() == reader.path.length()) {
      int next = reader.path.length();
      if (cache.tryFollow(reader.path, reader.tokens(next), reader.table)) {
        assertThat(memory.get(reader.table.block(next))).isEqualTo(reader.prefix(next));
      } else if (cache.nextIsSaved(reader.path, reader.tokens(next))
          && grow(cache, pool, reader)
          && cache.nextIsSaved(reader.path, reader.tokens(next))) {
        if (cache.tryRestore(reader.path, reader.tokens(next), reader.table)) {
          assertThat(memory.get(reader.table.block(next))).isEqualTo(reader.prefix(next));
          restored++;
        }
      } else {
        return;
      }
    }
  }

  private static boolean grow(PrefixCache cache, BlockPool pool, Reader reader) {
    if (pool.freeCount() == 0) {
      cache.evict(1);
    }
    return pool.tryGrow(reader.table, reader.path.length() + 1);
  }

  /// Computes the next block, in a block that it may have already.
  private void go(PrefixCache cache, BlockPool pool, SplittableRandom random) {
    if (readers.isEmpty()) {
      return;
    }
    var reader = readers.get(random.nextInt(readers.size()));
    if (reader.ended() || !grow(cache, pool, reader)) {
      return;
    }
    int next = reader.path.length();
    memory.put(reader.table.block(next), reader.prefix(next));
    cache.add(reader.path, reader.tokens(next), reader.table);
    assertThat(memory.get(reader.table.block(next))).isEqualTo(reader.prefix(next));
  }

  /// For good, or to come back.
  private void stop(PrefixCache cache, BlockPool pool, SplittableRandom random) {
    if (readers.isEmpty()) {
      return;
    }
    var reader = readers.remove(random.nextInt(readers.size()));
    if (random.nextBoolean()) {
      reader.claim = cache.claim(reader.path);
      putBack.add(reader);
    }
    pool.release(reader.table);
    cache.leave(reader.path);
  }

  private void comeBack(PrefixCache cache, BlockPool pool, SplittableRandom random) {
    if (putBack.isEmpty()) {
      return;
    }
    var reader = putBack.remove(random.nextInt(putBack.size()));
    reader.path = cache.enter(0);
    follow(cache, pool, reader);
    cache.unclaim(Objects.requireNonNull(reader.claim));
    readers.add(reader);
  }
}
