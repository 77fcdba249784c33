package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What one instance gets from another, and when it is mapped, on a memory whose steps end when the
/// test says so. A chunk holds a block.
class BalloonTest {
  private static final int CHUNKS = 24;
  private static final int AT_ONCE = 2;

  private final StepMemory memory = new StepMemory(CHUNKS, false);
  private final ChunkPool pool = new ChunkPool(memory);
  private final MemoryLedger ledger = new MemoryLedger(CHUNKS);
  private final List<String> awaited = new ArrayList<>();
  private final Balloon balloon =
      new Balloon(
          pool,
          ledger,
          new Balloon.Observer() {
            @Override
            public void onAwaited(String owner, Duration stall) {
              awaited.add(owner);
            }
          },
          AT_ONCE);
  private final Caching idle = new Caching("idle");
  private final Caching busy = new Caching("busy");

  /// Prefixes that nobody runs are all that it has.
  private final class Caching implements Tenant {
    final Reservation reservation;
    final KvShare share;
    int cached;

    Caching(String name) {
      reservation = reserved(ledger.reserve(name, 0));
      share = balloon.open(name, 1, 0, reservation);
      share.attach(this);
    }

    @Override
    public Demand demand() {
      return new Demand(0, cached, 0);
    }

    @Override
    public int shrinkTo(int blocks) {
      cached = Math.min(cached, blocks);
      return 1;
    }

    void cache(int blocks) {
      assertThat(share.grow(blocks)).isEqualTo(blocks);
      cached += blocks;
      assertThat(share.ready(share.grantedBlocks())).isTrue();
    }

    void close() {
      share.close();
      share.kv().close();
      reservation.close();
    }
  }

  private static Reservation reserved(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Reserved.class);
    return ((Outcome.Reserved) outcome).reservation();
  }

  @BeforeEach
  void allButFourChunksAreCached() {
    idle.cache(CHUNKS - 4);
    awaited.clear();
  }

  @AfterEach
  void everythingIsGivenBack() {
    pool.checkIntegrity();
    idle.close();
    busy.close();
    memory.endSteps();
    assertThat(pool.freeCount()).isEqualTo(CHUNKS);
    assertThat(ledger.snapshot().actualBytes()).isZero();
    pool.close();
  }

  @Test
  void manyAreGrantedAndFewAreMapped() {
    assertThat(busy.share.grow(10)).isEqualTo(10);
    assertThat(busy.share.grantedBlocks()).isEqualTo(10);
    assertThat(busy.share.blocks()).isEqualTo(AT_ONCE);
    assertThat(idle.share.grantedBlocks()).isEqualTo(CHUNKS - 10);
    assertThat(idle.share.blocks()).as("they are still where they were").isEqualTo(CHUNKS - 4);
    assertThat(ledger.snapshot().actualBytes()).isEqualTo(CHUNKS);
  }

  @Test
  void whatRunningStepsMayUseIsLeftWhereItIs() {
    busy.share.grow(10);
    busy.share.readyAhead(10, 10);
    assertThat(busy.share.blocks()).as("all that were free").isEqualTo(4);

    memory.endSteps();
    busy.share.readyAhead(7, 10);
    assertThat(busy.share.blocks()).as("no more than is asked for").isEqualTo(7);
    busy.share.readyAhead(10, 1);
    assertThat(busy.share.blocks()).as("so many at once").isEqualTo(9);
    busy.share.readyAhead(20, 10);
    assertThat(busy.share.blocks()).as("no more than was granted").isEqualTo(10);
    assertThat(idle.share.blocks()).isEqualTo(CHUNKS - 10);
    assertThat(awaited).isEmpty();
  }

  @Test
  void aStepWaitsForWhatItTakes() {
    busy.share.grow(10);
    assertThat(busy.share.ready(AT_ONCE)).isTrue();
    assertThat(awaited).isEmpty();
    assertThat(busy.share.ready(8)).isTrue();
    assertThat(busy.share.blocks()).isEqualTo(8);
    assertThat(awaited).containsExactly("busy");
  }

  @Test
  void whatWasVacatedComesBackUnmapped() {
    busy.share.grow(10);
    // Nothing of it is in use: others have it before it was ever mapped.
    assertThat(idle.share.grow(6)).isEqualTo(6);
    assertThat(idle.share.blocks()).isEqualTo(CHUNKS - 4);
    assertThat(idle.share.grantedBlocks()).isEqualTo(CHUNKS - 4);
    assertThat(busy.share.grantedBlocks()).isEqualTo(4);
  }

  @Test
  void aLoadGetsWhatWasGrantedAndNotMapped() {
    busy.share.grow(10);
    Reservation weights = reserved(balloon.reserve("weights", 8));
    int mapped = idle.share.blocks() + busy.share.blocks();
    assertThat(mapped).isLessThanOrEqualTo(CHUNKS - 8);
    assertThat(ledger.snapshot().actualBytes()).isEqualTo(CHUNKS);
    weights.close();
  }

  @Test
  void whoIsGoneIsOwedNothing() {
    busy.share.grow(10);
    busy.share.close();
    assertThat(idle.share.blocks()).isEqualTo(idle.share.grantedBlocks()).isEqualTo(CHUNKS - 10);
  }
}
