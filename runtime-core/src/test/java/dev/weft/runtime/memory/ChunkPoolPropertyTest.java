package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.memory.VirtualTensor.Kind;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/// Whatever tensors do, every chunk is somewhere once, and growth gets all that it asked for or
/// nothing. [PlainChunkMemory] underneath refuses what no device could do: a chunk mapped twice, a
/// range freed while something is mapped in it.
class ChunkPoolPropertyTest {
  private static final int CHUNKS = 12;
  private static final int TENSORS = 3;

  enum Verb {
    GROW,
    SHRINK,
    PASS,
    REOPEN,
    END_OF_STEPS
  }

  record Action(Verb verb, int tensor, int other, int size) {}

  @Property
  void everyChunkIsSomewhereOnce(@ForAll("actions") List<Action> actions) {
    play(actions, new StepMemory(CHUNKS, true));
  }

  @Property
  void chunksOfAStepUnderWayAreNobodys(@ForAll("actions") List<Action> actions) {
    play(actions, new StepMemory(CHUNKS, false));
  }

  private static void play(List<Action> actions, StepMemory memory) {
    var pool = new ChunkPool(memory);
    var tensors = new ArrayList<VirtualTensor>();
    for (int i = 0; i < TENSORS; i++) {
      tensors.add(pool.reserve("tensor-" + i, Kind.KV, CHUNKS));
    }
    for (var action : actions) {
      apply(action, pool, tensors, memory);
      pool.checkIntegrity();
      int mapped = tensors.stream().mapToInt(VirtualTensor::mappedChunks).sum();
      var snapshot = pool.snapshot();
      assertThat(mapped + snapshot.free() + snapshot.retiring()).isEqualTo(CHUNKS);
      assertThat(snapshot.retiring()).isEqualTo(memory.inUse());
    }
    tensors.forEach(VirtualTensor::close);
    memory.endSteps();
    assertThat(pool.freeCount()).isEqualTo(CHUNKS);
    assertThat(memory.taken()).isZero();
    pool.close();
  }

  private static void apply(
      Action action, ChunkPool pool, List<VirtualTensor> tensors, StepMemory memory) {
    var tensor = tensors.get(action.tensor());
    int before = tensor.mappedChunks();
    switch (action.verb()) {
      case GROW -> {
        int free = pool.freeCount();
        boolean grown = tensor.tryGrow(action.size());
        assertThat(grown).isEqualTo(action.size() - before <= free);
        assertThat(tensor.mappedChunks())
            .isEqualTo(grown ? Math.max(before, action.size()) : before);
      }
      case SHRINK -> {
        assertThat(tensor.shrink(action.size())).isEqualTo(Math.max(0, before - action.size()));
        assertThat(tensor.mappedChunks()).isEqualTo(Math.min(before, action.size()));
        memory.gaveUp(before - tensor.mappedChunks());
      }
      case PASS -> {
        var other = tensors.get(action.other());
        if (other != tensor) {
          int others = other.mappedChunks();
          int passed = tensor.shrinkInto(other, action.size());
          assertThat(tensor.mappedChunks()).isEqualTo(before - passed);
          assertThat(other.mappedChunks()).isEqualTo(others + passed);
        }
      }
      case REOPEN -> {
        tensor.close();
        memory.gaveUp(before);
        tensors.set(action.tensor(), pool.reserve("again", Kind.KV, CHUNKS));
      }
      case END_OF_STEPS -> memory.endSteps();
    }
  }

  @Provide
  Arbitrary<List<Action>> actions() {
    return Combinators.combine(
            Arbitraries.of(Verb.class),
            Arbitraries.integers().between(0, TENSORS - 1),
            Arbitraries.integers().between(0, TENSORS - 1),
            Arbitraries.integers().between(0, CHUNKS))
        .as(Action::new)
        .list()
        .ofMaxSize(60);
  }
}
