package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/// Random readers and writers of texts that often begin alike, against a model that keeps each
/// prefix by its whole spelling: the cache knows exactly what the model knows, every block that it
/// gives holds the text that leads to it, what it evicts was idle and least recently used, and no
/// block is lost.
class PrefixCachePropertyTest {
  private static final int BLOCK_TOKENS = 2;
  private static final int BLOCKS = 24;

  /// A text under way, as a sequence has it.
  private static final class Reader {
    private final List<Integer> text;
    private final BlockTable table = new BlockTable();
    private final PrefixCache.Path path;
    private final List<List<Integer>> nodes = new ArrayList<>();

    Reader(List<Integer> text, PrefixCache.Path path) {
      this.text = text;
      this.path = path;
    }

    /// The key and all tokens up to the end of block `index`.
    List<Integer> prefix(int index) {
      return text.subList(0, 1 + (index + 1) * BLOCK_TOKENS);
    }

    int[] tokens(int index) {
      int from = 1 + index * BLOCK_TOKENS;
      return text.subList(from, from + BLOCK_TOKENS).stream().mapToInt(t -> t).toArray();
    }
  }

  /// Users of each known prefix; in order of last use where there are none.
  private final Map<List<Integer>, Integer> known = new LinkedHashMap<>();

  private final Map<Integer, List<Integer>> contents = new HashMap<>();
  private final List<Reader> readers = new ArrayList<>();

  @Property(tries = 400)
  void knowsWhatAModelOfSpelledPrefixesKnows(@ForAll long seed) {
    known.clear();
    contents.clear();
    readers.clear();
    var random = new SplittableRandom(seed);
    var pool = new BlockPool(BLOCKS);
    var cache = new PrefixCache(pool, BLOCK_TOKENS, BlockStore.NONE);
    for (int i = 0; i < 150; i++) {
      switch (random.nextInt(6)) {
        case 0 -> readers.add(begin(cache, random));
        case 1, 2 -> write(cache, pool, random);
        case 3 -> end(cache, pool, random);
        case 4 -> evict(cache, random.nextInt(4));
        default -> move(pool, random);
      }
      check(cache, pool);
    }
    while (!readers.isEmpty()) {
      end(cache, pool, random);
    }
    cache.evict(BLOCKS);
    assertThat(pool.usedCount()).isZero();
    pool.checkIntegrity();
  }

  /// Follows as far as the cache knows the text, which is as far as the model does.
  private Reader begin(PrefixCache cache, SplittableRandom random) {
    var text = new ArrayList<Integer>();
    text.add(random.nextInt(2));
    random.ints(2L * (1 + random.nextInt(4)), 0, 2).forEach(text::add);
    var reader = new Reader(text, cache.enter(text.getFirst()));
    for (int i = 0; (i + 1) * BLOCK_TOKENS < text.size(); i++) {
      boolean found = cache.tryFollow(reader.path, reader.tokens(i), reader.table);
      assertThat(found).isEqualTo(known.containsKey(reader.prefix(i)));
      if (!found) {
        break;
      }
      use(reader, reader.prefix(i));
      assertThat(contents.get(reader.table.block(i))).isEqualTo(reader.prefix(i));
    }
    return reader;
  }

  /// Computes the next block of a text and adds it.
  private void write(PrefixCache cache, BlockPool pool, SplittableRandom random) {
    if (readers.isEmpty()) {
      return;
    }
    var reader = readers.get(random.nextInt(readers.size()));
    int next = reader.path.length();
    if ((next + 1) * BLOCK_TOKENS >= reader.text.size()) {
      return;
    }
    if (pool.freeCount() == 0) {
      evict(cache, 1);
    }
    if (!pool.tryGrow(reader.table, next + 1)) {
      return;
    }
    contents.put(reader.table.block(next), reader.prefix(next));
    int[] freed = cache.add(reader.path, reader.tokens(next), reader.table);
    assertThat(freed).hasSize(known.containsKey(reader.prefix(next)) ? 1 : 0);
    use(reader, reader.prefix(next));
    assertThat(contents.get(reader.table.block(next))).isEqualTo(reader.prefix(next));
  }

  private void use(Reader reader, List<Integer> prefix) {
    known.merge(prefix, 1, Integer::sum);
    reader.nodes.add(prefix);
  }

  private void end(PrefixCache cache, BlockPool pool, SplittableRandom random) {
    if (readers.isEmpty()) {
      return;
    }
    var reader = readers.remove(random.nextInt(readers.size()));
    pool.release(reader.table);
    cache.leave(reader.path);
    for (var prefix : reader.nodes.reversed()) {
      int users = Objects.requireNonNull(known.remove(prefix)) - 1;
      known.put(prefix, users);
    }
  }

  private void evict(PrefixCache cache, int count) {
    int[] freed = cache.evict(count);
    for (int block : freed) {
      // The first in order of last use that nobody uses and that no other begins with.
      var expected =
          known.entrySet().stream()
              .filter(e -> e.getValue() == 0)
              .map(Map.Entry::getKey)
              .filter(p -> known.keySet().stream().noneMatch(o -> longer(o, p)))
              .findFirst()
              .orElseThrow();
      assertThat(contents.get(block)).isEqualTo(expected);
      known.remove(expected);
    }
    assertThat(freed.length == count || known.values().stream().allMatch(u -> u > 0)).isTrue();
  }

  private static boolean longer(List<Integer> other, List<Integer> prefix) {
    return other.size() > prefix.size() && other.subList(0, prefix.size()).equals(prefix);
  }

  private void move(BlockPool pool, SplittableRandom random) {
    var moves = pool.shrinkTo(pool.usedCount() + random.nextInt(3));
    for (int i = 0; i < moves.count(); i++) {
      contents.put(moves.to()[i], contents.get(moves.from()[i]));
    }
    pool.setCapacity(BLOCKS);
  }

  private void check(PrefixCache cache, BlockPool pool) {
    long idle = known.values().stream().filter(users -> users == 0).count();
    assertThat(cache.idleBlocks()).isEqualTo((int) idle);
    assertThat(pool.usedCount()).isEqualTo(known.size());
    for (var reader : readers) {
      var found = Arrays.stream(reader.table.toArray()).mapToObj(contents::get).toList();
      assertThat(found).isEqualTo(reader.nodes);
    }
    pool.checkIntegrity();
  }
}
