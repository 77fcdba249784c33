package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// What is copied to a store ahead of need, and what becomes of copies.
class CopiedPrefixesTest {
  private static final int BLOCKS = 4;

  private final Store store = new Store();
  private final BlockPool pool = new BlockPool(2 * BLOCKS);
  private final PrefixCache cache = new PrefixCache(pool, 1, store);
  private final BlockTable table = new BlockTable();

  /// Slots hold the index of their block in its text.
  private static final class Store implements BlockStore {
    private final Map<Integer, Integer> slots = new HashMap<>();
    private final List<Integer> savedAtNeed = new ArrayList<>();
    private final List<Integer> savedAhead = new ArrayList<>();
    private final List<Integer> fetched = new ArrayList<>();
    private int capacity = 100;
    private int most = 100;
    private int next;

    private int put(int index) {
      if (full()) {
        return NOT_SAVED;
      }
      slots.put(next, index);
      return next++;
    }

    @Override
    public int save(int block, int index) {
      savedAtNeed.add(index);
      return put(index);
    }

    @Override
    public int saveAhead(int block, int index) {
      if (savedAhead.size() == most) {
        return NOT_SAVED;
      }
      int slot = put(index);
      if (slot != NOT_SAVED) {
        savedAhead.add(index);
      }
      return slot;
    }

    @Override
    public boolean full() {
      return slots.size() >= capacity;
    }

    @Override
    public boolean fetchAhead(int slot) {
      fetched.add(slots.get(slot));
      return fetched.size() < 2;
    }

    @Override
    public boolean load(int slot, int block) {
      return slots.remove(slot) != null;
    }

    @Override
    public void drop(int slot) {
      assertThat(slots.remove(slot)).isNotNull();
    }
  }

  /// Computes a text of four blocks that begins so.
  private PrefixCache.Path compute(int first) {
    var path = cache.enter(0);
    for (int i = 0; i < BLOCKS; i++) {
      assertThat(pool.tryGrow(table, i + 1)).isTrue();
      cache.add(path, tokens(first, i), table);
    }
    return path;
  }

  private static int[] tokens(int first, int index) {
    return new int[] {first + index};
  }

  private void end(PrefixCache.Path path) {
    pool.release(table);
    cache.leave(path);
  }

  private PrefixCache.Claim computeAndPutBack(int first) {
    var path = compute(first);
    var claim = cache.claim(path);
    end(path);
    return claim;
  }

  @Test
  void whatIsClaimedIsCopiedFromItsEndAndIsEvictedForNothing() {
    var claim = computeAndPutBack(0);
    store.most = 3;
    cache.saveAhead();
    assertThat(store.savedAhead).containsExactly(3, 2, 1);
    store.most = 100;
    cache.saveAhead();
    cache.saveAhead();
    assertThat(store.savedAhead).as("each once").containsExactly(3, 2, 1, 0);
    assertThat(cache.idleBlocks()).as("their blocks are still here").isEqualTo(BLOCKS);

    assertThat(cache.evict(3)).hasSize(3);

    assertThat(store.savedAtNeed).isEmpty();
    assertThat(store.slots).hasSize(4);
    cache.fetchAhead(claim);
    assertThat(store.fetched).as("what is needed first, as far as it goes").containsExactly(1, 2);
  }

  @Test
  void whatNobodyClaimsIsNotCopied() {
    end(compute(0));

    cache.saveAhead();

    assertThat(store.savedAhead).isEmpty();
  }

  @Test
  void whatIsUsedAgainNeedsNoCopy() {
    computeAndPutBack(0);
    cache.saveAhead();

    var path = cache.enter(0);
    assertThat(cache.tryFollow(path, tokens(0, 0), table)).isTrue();
    assertThat(cache.tryFollow(path, tokens(0, 1), table)).isTrue();

    assertThat(store.slots.values()).containsExactlyInAnyOrder(2, 3);
  }

  @Test
  void whatNobodyWillComeBackForNeedsNoCopy() {
    var claim = computeAndPutBack(0);
    cache.saveAhead();
    cache.evict(1);

    cache.unclaim(claim);

    assertThat(store.slots.values()).as("saved is kept while there is room").containsExactly(3);
    assertThat(cache.idleBlocks()).isEqualTo(3);
    cache.clear();
    assertThat(store.slots).isEmpty();
    assertThat(pool.usedCount()).isZero();
  }

  @Test
  void whatNobodyClaimsMakesRoomForCopies() {
    cache.unclaim(saved(0));
    store.capacity = BLOCKS;
    assertThat(store.full()).isTrue();

    computeAndPutBack(100);
    cache.saveAhead();

    assertThat(store.savedAhead).hasSize(2 * BLOCKS);
    assertThat(store.slots).hasSize(BLOCKS);
    assertThat(cache.evict(BLOCKS)).hasSize(BLOCKS);
    assertThat(store.savedAtNeed).isEmpty();
  }

  @Test
  void aFullStoreCostsOtherClaimsNothing() {
    saved(0);
    store.capacity = BLOCKS;

    computeAndPutBack(100);
    cache.saveAhead();

    assertThat(store.savedAhead).hasSize(BLOCKS);
    assertThat(store.slots).hasSize(BLOCKS);
  }

  private PrefixCache.Claim saved(int first) {
    var claim = computeAndPutBack(first);
    cache.saveAhead();
    cache.evict(BLOCKS);
    return claim;
  }
}
