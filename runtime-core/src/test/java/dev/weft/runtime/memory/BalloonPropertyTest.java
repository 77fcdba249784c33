package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/// Whatever instances ask of each other, in whatever order: every chunk is somewhere once, nobody
/// holds more than the device has, what is guaranteed comes whenever it is asked for, and a
/// question is answered in full or changes nothing that the asker has.
///
/// A model of one device: instances with a context as guarantee, whose blocks of one chunk or two
/// are live or cached, steps that compute in shared memory, and weights that come and go. Half of
/// the runs are on a memory whose steps end when the test says so.
class BalloonPropertyTest {
  private static final int CHUNKS = 24;
  private static final int INSTANCES = 3;
  private static final int GUARANTEE = 4;
  private static final int SCRATCH = 8;

  /// Chunks that are mapped at once when more are granted.
  private static final int AT_ONCE = 2;

  /// Bytes that guarantees do not need: for weights.
  private static final int SPARE = CHUNKS - INSTANCES * GUARANTEE - SCRATCH;

  enum Verb {
    GROW,
    GROW_AHEAD,
    READY,
    READY_AHEAD,
    CACHE,
    FREE,
    STEP,
    TRIM,
    REOPEN,
    LOAD,
    UNLOAD,
    END_OF_STEPS
  }

  record Action(Verb verb, int instance, int size) {}

  /// An instance's planner in its simplest form: so many blocks are live, so many cached.
  private static final class Blocks implements Tenant {
    final int blockChunks;
    final KvShare share;
    final Scratch scratch;

    /// What its largest step computes in.
    final int most;

    final Reservation reservation;
    int live;
    int cached;
    int wanted;

    Blocks(Device device, String name, int blockChunks) {
      this.blockChunks = blockChunks;
      reservation = reserved(device.ledger.reserve(name, 0));
      share = device.balloon.open(name, blockChunks, GUARANTEE, reservation);
      most = SCRATCH - device.opened++ % 4;
      scratch = device.balloon.openScratch(most);
      share.attach(this);
    }

    @Override
    public Demand demand() {
      return new Demand(live, cached, wanted);
    }

    /// Cached ones go first, then live ones.
    @Override
    public int shrinkTo(int blocks) {
      int before = live + cached;
      live = Math.min(live, blocks);
      cached = Math.min(cached, blocks - live);
      return Math.min(before, live + cached) / 2;
    }

    int free() {
      return share.grantedBlocks() - live - cached;
    }

    void close() {
      share.close();
      share.kv().close();
      scratch.close();
      reservation.close();
    }
  }

  private static final class Device {
    final StepMemory memory;
    final MemoryLedger ledger = new MemoryLedger(CHUNKS);
    final ChunkPool pool;
    final Balloon balloon;
    final List<Blocks> instances = new ArrayList<>();
    final List<Reservation> weights = new ArrayList<>();
    int opened;
    int loaded;

    Device(StepMemory memory) {
      this.memory = memory;
      pool = new ChunkPool(memory);
      balloon = new Balloon(pool, ledger, Balloon.Observer.NONE, AT_ONCE);
      for (int i = 0; i < INSTANCES; i++) {
        instances.add(new Blocks(this, "instance-" + i, 1 + i % 2));
      }
    }
  }

  private static Reservation reserved(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Reserved.class);
    return ((Outcome.Reserved) outcome).reservation();
  }

  @Property(tries = 2_000)
  void chunksAreConservedAndGuaranteesAreKept(@ForAll("actions") List<Action> actions) {
    play(actions, new StepMemory(CHUNKS, true));
  }

  /// A chunk that was given up is another's only when the steps under way have ended, so that what
  /// is guaranteed may come a step later.
  @Property(tries = 1_000)
  void chunksAreConservedWhileStepsRun(@ForAll("actions") List<Action> actions) {
    play(actions, new StepMemory(CHUNKS, false));
  }

  private static void play(List<Action> actions, StepMemory memory) {
    var device = new Device(memory);
    for (Action action : actions) {
      apply(action, device);
      check(device);
    }
    device.instances.forEach(Blocks::close);
    device.weights.forEach(Reservation::close);
    memory.endSteps();
    assertThat(device.pool.freeCount()).isEqualTo(CHUNKS);
    assertThat(memory.taken()).isZero();
    assertThat(device.ledger.snapshot().holdings()).isEmpty();
    assertThat(device.ledger.snapshot().actualBytes()).isZero();
    device.pool.close();
  }

  private static void apply(Action action, Device device) {
    Blocks blocks = device.instances.get(action.instance());
    switch (action.verb()) {
      case GROW -> grow(blocks, action.size(), device);
      case GROW_AHEAD -> growAhead(blocks, action.size(), device);
      case READY -> {
        assertThat(blocks.share.ready(blocks.live + blocks.cached)).isTrue();
        assertThat(blocks.share.blocks()).isGreaterThanOrEqualTo(blocks.live + blocks.cached);
      }
      case READY_AHEAD -> readyAhead(blocks, action.size(), device);
      case CACHE -> {
        int ended = Math.min(blocks.live, action.size());
        blocks.live -= ended;
        blocks.cached += ended;
      }
      case FREE -> blocks.live -= Math.min(blocks.live, action.size());
      case STEP -> step(blocks, action, device);
      case TRIM -> blocks.share.trim();
      case REOPEN -> {
        blocks.close();
        device.instances.set(
            action.instance(), new Blocks(device, "again-" + device.opened, 1 + action.size() % 2));
      }
      case LOAD -> {
        if (device.loaded + action.size() <= SPARE) {
          // Admission has seen to it that the bytes fit beside all guarantees.
          device.weights.add(reserved(device.balloon.reserve("weights", action.size())));
          device.loaded += action.size();
        }
      }
      case UNLOAD -> {
        if (!device.weights.isEmpty()) {
          Reservation going = device.weights.removeLast();
          device.loaded -= (int) going.plannedBytes();
          going.close();
        }
      }
      case END_OF_STEPS -> device.memory.endSteps();
    }
  }

  private static void grow(Blocks blocks, int size, Device device) {
    int missing = size - blocks.free();
    int before = blocks.share.grantedBlocks();
    int live = blocks.live;
    blocks.wanted = size;
    int came = missing > 0 ? blocks.share.grow(missing) : 0;
    blocks.wanted = 0;
    assertThat(came == 0 || came >= missing).as("all or none").isTrue();
    assertThat(blocks.share.grantedBlocks()).isEqualTo(before + came);
    assertThat(blocks.live).as("the asker loses nothing").isEqualTo(live);
    if (missing <= 0 || came > 0) {
      blocks.live += size;
    } else if (device.pool.snapshot().retiring() == 0 && blocks.cached == 0) {
      assertThat((live + size) * blocks.blockChunks)
          .as("what is guaranteed is not refused")
          .isGreaterThan(GUARANTEE);
    }
  }

  private static void growAhead(Blocks blocks, int size, Device device) {
    int before = blocks.share.grantedBlocks();
    int held = heldByOthers(blocks, device);
    int came = blocks.share.growAhead(size, size / 2);
    assertThat(came).isBetween(0, size);
    assertThat(blocks.share.grantedBlocks()).isEqualTo(before + came);
    assertThat(heldByOthers(blocks, device)).as("nobody is robbed").isEqualTo(held);
  }

  private static void readyAhead(Blocks blocks, int size, Device device) {
    int before = blocks.share.kv().mappedChunks();
    int granted = blocks.share.granted();
    int held = heldByOthers(blocks, device);
    blocks.share.readyAhead(blocks.live + blocks.cached, size);
    assertThat(blocks.share.kv().mappedChunks() - before)
        .isBetween(0, Math.max(AT_ONCE, size * blocks.blockChunks));
    assertThat(blocks.share.granted()).isEqualTo(granted);
    assertThat(heldByOthers(blocks, device)).as("nobody is robbed").isEqualTo(held);
  }

  private static int heldByOthers(Blocks blocks, Device device) {
    return device.instances.stream()
        .filter(each -> each != blocks)
        .mapToInt(each -> each.share.grantedBlocks())
        .sum();
  }

  private static void step(Blocks blocks, Action action, Device device) {
    if (device.pool.snapshot().retiring() > 0) {
      return;
    }
    int chunks = Math.min(action.size(), blocks.most);
    assertThatCode(() -> blocks.scratch.acquire(chunks)).doesNotThrowAnyException();
    assertThat(device.pool.snapshot().held(VirtualTensor.Kind.ACTIVATION))
        .isGreaterThanOrEqualTo(chunks);
  }

  private static void check(Device device) {
    device.pool.checkIntegrity();
    var ledger = device.ledger.snapshot();
    assertThat(ledger.plannedBytes()).isLessThanOrEqualTo(CHUNKS);
    assertThat(ledger.actualBytes()).isLessThanOrEqualTo(CHUNKS);
    long held = device.pool.snapshot().holdings().stream().mapToInt(h -> h.chunks()).sum();
    assertThat(held + device.loaded)
        .as("no more is mapped than is counted")
        .isLessThanOrEqualTo(ledger.actualBytes());
    assertThat(ledger.actualBytes()).isEqualTo(ledger.plannedBytes());
    for (Blocks blocks : device.instances) {
      assertThat(blocks.free()).as("nobody uses more than it has").isNotNegative();
    }
  }

  @Provide
  Arbitrary<List<Action>> actions() {
    return Combinators.combine(
            Arbitraries.of(Verb.class),
            Arbitraries.integers().between(0, INSTANCES - 1),
            Arbitraries.integers().between(1, CHUNKS / 2))
        .as(Action::new)
        .list()
        .ofMaxSize(80);
  }
}
