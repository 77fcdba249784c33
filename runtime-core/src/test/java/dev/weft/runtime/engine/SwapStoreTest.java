package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.FakeHostBlocks;
import dev.weft.runtime.backend.ForwardingDecoder;
import dev.weft.runtime.backend.HostBlocks;
import dev.weft.runtime.engine.EngineObserver.SwapPlace;
import dev.weft.runtime.engine.EngineObserver.SwapRefusal;
import dev.weft.runtime.memory.BlockStore;
import dev.weft.runtime.memory.FlakyDisk;
import dev.weft.runtime.memory.FlakyDisk.Operation;
import dev.weft.runtime.memory.SwapSpace;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Blocks that go to a disk and back, and disks that are full, broken, slow and forgetful. Contents
/// are a block's number, so that nothing comes back as something else.
@Timeout(60)
class SwapStoreTest implements SwapStore.Listener {
  private static final int BLOCKS = 100;
  private static final int BLOCK_BYTES = 32;

  /// Buffers for blocks that small.
  private static final int BUFFERS = 64;

  private static final Duration TICK = Duration.ofMillis(1);

  private final FlakyDisk disk = new FlakyDisk();
  private final FakeDecoder decoder =
      new FakeDecoder(BLOCKS, BLOCK_BYTES / 4, DeviceLoopFixture::hashedLogits);
  private final AtomicLong clock = new AtomicLong();
  private final CountDownLatch gate = new CountDownLatch(1);
  private final List<SwapRefusal> refusals = new ArrayList<>();
  private final List<Long> sizes = new ArrayList<>();
  private final List<SwapPlace> places = new ArrayList<>();
  private double computing = 1e9;
  private HostBlocks host = HostBlocks.NONE;
  private SwapSpace space = new SwapSpace(disk, 1 << 20);
  private SwapStore store = open();
  private long out;
  private long in;
  private int failures;

  private SwapStore open() {
    var copying =
        new ForwardingDecoder(decoder) {
          @Override
          public HostBlocks hostBlocks() {
            return host;
          }
        };
    return new SwapStore(copying, space, (first, tokens) -> computing, this, clock::get);
  }

  /// With so many places in the host's memory.
  private void open(int places, long capacity) {
    host = new FakeHostBlocks(decoder, places);
    open(capacity);
  }

  private void open(long capacity) {
    store.close();
    space = new SwapSpace(disk, capacity);
    store = open();
  }

  @Override
  public void out(SwapPlace place, long bytes) {
    out += bytes;
    places.add(place);
  }

  @Override
  public void in(SwapPlace place, long bytes) {
    in += bytes;
  }

  @Override
  public void failed() {
    failures++;
  }

  @Override
  public void refused(SwapRefusal reason) {
    refusals.add(reason);
  }

  @Override
  public void resized(long bytes) {
    sizes.add(bytes);
  }

  @AfterEach
  void nothingIsLeft() throws InterruptedException {
    gate.countDown();
    store.close();
    assertThat(space.taken()).isZero();
    var ended = new CountDownLatch(1);
    space.execute(ended::countDown);
    ended.await();
    assertThat(disk.openFiles()).isZero();
  }

  private void fill(int block, int value) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment contents = arena.allocate(BLOCK_BYTES, 4);
      for (int i = 0; i < BLOCK_BYTES / 4; i++) {
        contents.setAtIndex(ValueLayout.JAVA_INT, i, value + i);
      }
      decoder.loadBlocks(new int[] {block}, contents);
    }
  }

  private int firstOf(int block) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment contents = arena.allocate(BLOCK_BYTES, 4);
      decoder.saveBlocks(new int[] {block}, contents);
      return contents.getAtIndex(ValueLayout.JAVA_INT, 0);
    }
  }

  private int save(int value) {
    fill(0, value);
    int slot = store.save(0, 3);
    fill(0, -1);
    return slot;
  }

  private void awaitWritten() {
    awaitAll();
    assertThat(disk.count(Operation.WRITE)).isPositive();
  }

  private void awaitAll() {
    var idle = new CountDownLatch(1);
    space.execute(idle::countDown);
    while (idle.getCount() > 0) {
      store.await(TICK);
    }
    store.poll();
  }

  private boolean brings(int slot, int value) {
    boolean whole = store.load(slot, 1);
    return whole && firstOf(1) == value;
  }

  @Test
  void whatWasWrittenComesBackAndWhatWasNotYetDoesSoAtOnce() {
    int first = save(100);
    int second = save(200);
    awaitWritten();
    assertThat(store.ready(first)).as("it has to be read").isFalse();
    assertThat(brings(first, 100)).isTrue();
    assertThat(brings(second, 200)).isTrue();
    assertThat(out).isEqualTo(2L * BLOCK_BYTES);
    assertThat(in).isEqualTo(2L * BLOCK_BYTES);

    disk.before(this::awaitGate);
    int third = save(300);
    assertThat(store.ready(third)).as("it is still in memory").isTrue();
    assertThat(brings(third, 300)).isTrue();
    assertThat(in).as("it was not read").isEqualTo(2L * BLOCK_BYTES);
    assertThat(failures).isZero();
  }

  private void awaitGate() {
    try {
      gate.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aFullSpaceRefusesAndSaysWhy() {
    open(2 * BLOCK_BYTES);
    int first = save(100);
    save(200);

    assertThat(store.full()).isTrue();
    assertThat(save(300)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(refusals).containsExactly(SwapRefusal.FULL);
    assertThat(store.saveAhead(0, 3)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(refusals).as("nothing was lost yet").hasSize(1);

    store.drop(first);
    int third = save(300);
    assertThat(brings(third, 300)).isTrue();
  }

  @Test
  void whatReachesTheDiskWhileItIsBroughtBackIsNotLost() {
    for (int i = 0; i < 20_000; i++) {
      int slot = save(i);
      while (slot == BlockStore.NOT_SAVED) {
        store.await(TICK);
        slot = save(i);
      }
      assertThat(brings(slot, i)).isTrue();
    }
    assertThat(failures).isZero();
  }

  @Test
  void noSpaceAtAllIsNoRefusal() {
    open(0);

    assertThat(save(100)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(refusals).isEmpty();
  }

  @Test
  void brokenPromisesLeaveLessAndLatePromptsGetItBack() {
    open(64 * BLOCK_BYTES);
    for (int step = 0; step < 3; step++) {
      store.stepped(true, false);
    }
    assertThat(sizes).containsExactly(32L * BLOCK_BYTES);
    for (int i = 0; i < 32; i++) {
      assertThat(save(i)).isNotNegative();
    }

    assertThat(store.full()).isTrue();
    assertThat(save(32)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(refusals).containsExactly(SwapRefusal.PROMISES);

    for (int step = 0; step < 3; step++) {
      store.stepped(false, true);
    }
    assertThat(sizes).containsExactly(32L * BLOCK_BYTES, 64L * BLOCK_BYTES);
    assertThat(save(32)).isNotNegative();
  }

  @Test
  void whatIsCheaperToComputeIsNotSavedButNowAndThenTried() {
    computing = 1;
    assertThat(store.saveAhead(0, 3)).isEqualTo(BlockStore.NOT_SAVED);
    for (int i = 1; i < 64; i++) {
      assertThat(save(i)).isEqualTo(BlockStore.NOT_SAVED);
    }
    assertThat(refusals).hasSize(63).containsOnly(SwapRefusal.CHEAPER);

    assertThat(save(64)).isNotNegative();
  }

  @Test
  void aSlowDiskMakesSavingDear() {
    computing = 1_000;
    disk.before(() -> clock.addAndGet(10_000));
    int slot = save(100);
    assertThat(slot).isNotNegative();
    while (save(200) != BlockStore.NOT_SAVED) {
      awaitWritten();
    }

    assertThat(refusals).containsExactly(SwapRefusal.CHEAPER);
    assertThat(disk.count(Operation.WRITE)).as("it shows soon").isBetween(2, 8);
    assertThat(brings(slot, 100)).isTrue();
  }

  @Test
  void aDiskThatStallsOnceIsNotSlow() {
    computing = 1_000;
    save(100);
    awaitWritten();
    disk.before(() -> clock.addAndGet(1_000_000_000));
    save(200);
    awaitAll();
    disk.before(() -> {});

    assertThat(save(300)).isNotNegative();
    assertThat(refusals).isEmpty();
  }

  @Test
  void whatIsNotUrgentLeavesHalfOfTheBuffersAndWithNoneLeftNothingIsSaved() {
    disk.before(this::awaitGate);
    int ahead = 0;
    while (store.saveAhead(0, 3) != BlockStore.NOT_SAVED) {
      ahead++;
    }
    assertThat(ahead).isEqualTo(BUFFERS / 2);
    for (int i = ahead; i < BUFFERS; i++) {
      assertThat(save(i)).isNotNegative();
    }

    assertThat(save(99)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(refusals).containsExactly(SwapRefusal.BUSY);

    gate.countDown();
    awaitAll();
    assertThat(save(100)).isNotNegative();
  }

  @Test
  void whatIsFetchedAheadIsThereAndMakesWayForWhatIsNeeded() {
    var slots = new ArrayList<Integer>();
    for (int i = 0; i < 40; i++) {
      slots.add(save(i));
    }
    awaitWritten();
    int asked = 0;
    while (store.fetchAhead(slots.get(asked))) {
      asked++;
    }
    assertThat(asked).as("a quarter of the buffers").isEqualTo(BUFFERS / 4);
    assertThat(store.fetchAhead(slots.get(0))).as("it is on its way").isTrue();
    awaitAll();
    int reads = disk.count(Operation.READ);
    assertThat(store.ready(slots.get(0))).isTrue();
    assertThat(brings(slots.get(0), 0)).isTrue();
    assertThat(disk.count(Operation.READ)).isEqualTo(reads);

    disk.before(this::awaitGate);
    for (int i = 0; i < BUFFERS; i++) {
      assertThat(save(1_000 + i)).as("save %d", i).isNotNegative();
    }
    gate.countDown();
    for (int i = 1; i < slots.size(); i++) {
      assertThat(brings(slots.get(i), i)).as("slot %d is read again", i).isTrue();
    }
  }

  @Test
  void aDiskThatCannotBeWrittenLosesBlocksAndCountsThem() {
    disk.fail((operation, count) -> operation == Operation.CREATE);
    int first = save(100);
    int second = save(200);
    awaitAll();

    assertThat(failures).isEqualTo(2);
    assertThat(store.ready(first)).as("it is not waited for").isTrue();
    assertThat(brings(first, 100)).isFalse();
    assertThat(brings(second, 200)).isFalse();
    assertThat(out).isZero();
  }

  @Test
  void aDiskThatFailsNowAndThenLosesThoseBlocksOnly() {
    disk.fail((operation, count) -> operation == Operation.WRITE && count % 3 == 1);
    var slots = new ArrayList<Integer>();
    for (int i = 0; i < 12; i++) {
      slots.add(save(i));
    }
    awaitAll();

    assertThat(failures).isEqualTo(4);
    for (int i = 0; i < 12; i++) {
      assertThat(brings(slots.get(i), i)).as("block %d", i).isEqualTo(i % 3 != 1);
    }
    assertThat(out).isEqualTo(8L * BLOCK_BYTES);
  }

  @Test
  void aSlotThatFailedIsGoodAgainWhenItIsWritten() {
    disk.fail((operation, count) -> operation == Operation.WRITE && count == 0);
    int failed = save(100);
    awaitAll();
    store.drop(failed);

    int slot = save(200);

    assertThat(slot).isEqualTo(failed);
    awaitAll();
    assertThat(brings(slot, 200)).isTrue();
  }

  @Test
  void theHostsMemoryComesFirstAndTheFileWhereItIsFull() {
    open(2, 64 * BLOCK_BYTES);
    int first = save(100);
    int second = save(200);
    assertThat(places).containsExactly(SwapPlace.HOST, SwapPlace.HOST);
    assertThat(space.taken()).isZero();
    int third = save(300);
    awaitAll();
    assertThat(places).containsExactly(SwapPlace.HOST, SwapPlace.HOST, SwapPlace.FILE);
    assertThat(space.taken()).isEqualTo(BLOCK_BYTES);

    assertThat(store.ready(second)).as("the device copies it by itself").isTrue();
    assertThat(brings(second, 200)).isTrue();
    int fourth = save(400);
    assertThat(places.getLast()).as("a place is free again").isEqualTo(SwapPlace.HOST);
    assertThat(brings(third, 300)).isTrue();
    assertThat(brings(first, 100)).isTrue();
    assertThat(brings(fourth, 400)).isTrue();
    assertThat(failures).isZero();
    assertThat(in).isEqualTo(4L * BLOCK_BYTES);
  }

  @Test
  void theHostsMemoryIsEnoughWithoutAFileAndWhereComputingIsCheap() {
    open(2, 0);
    computing = 0;
    int first = save(100);
    int second = save(200);
    assertThat(store.full()).isTrue();
    assertThat(save(300)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(refusals).containsExactly(SwapRefusal.FULL);

    store.drop(first);
    assertThat(store.full()).isFalse();
    assertThat(brings(second, 200)).isTrue();
  }

  @Test
  void brokenPromisesLeaveLessOfBoth() {
    open(32, 32 * BLOCK_BYTES);
    for (int step = 0; step < 3; step++) {
      store.stepped(true, false);
    }
    assertThat(sizes).containsExactly(32L * BLOCK_BYTES);
    int first = save(0);
    for (int i = 1; i < 32; i++) {
      assertThat(save(i)).isNotNegative();
    }
    assertThat(store.full()).isTrue();
    assertThat(store.saveAhead(0, 3)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(save(32)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(refusals).containsExactly(SwapRefusal.PROMISES);

    store.drop(first);
    assertThat(save(33)).isNotNegative();
  }

  @Test
  void aCopyThatFailsIsCountedAndItsPlaceIsFree() {
    var failing = new FakeHostBlocks(decoder, 1);
    host = failing;
    open(0);
    failing.fail(true);
    assertThat(save(100)).isEqualTo(BlockStore.NOT_SAVED);
    assertThat(failures).isEqualTo(1);

    failing.fail(false);
    int slot = save(200);
    assertThat(slot).isNotNegative();
    failing.fail(true);
    assertThat(store.load(slot, 1)).isFalse();
    assertThat(failures).isEqualTo(2);

    failing.fail(false);
    assertThat(brings(save(300), 300)).isTrue();
  }

  @Test
  void whatIsOnItsWayIsKnown() {
    var late = new FakeHostBlocks(decoder, 1);
    host = late;
    open(0);
    int slot = save(100);
    late.late(true);
    assertThat(store.load(slot, 1)).isTrue();
    assertThat(store.arriving(1)).isTrue();
    late.late(false);
    assertThat(store.arriving(1)).isFalse();
    assertThat(firstOf(1)).isEqualTo(100);
  }

  @Test
  void aFailedReadIsCountedAndNothingComes() {
    int first = save(100);
    int second = save(200);
    awaitWritten();
    disk.fail((operation, count) -> operation == Operation.READ && count == 0);

    assertThat(brings(first, 100)).isFalse();
    assertThat(brings(second, 200)).isTrue();
    assertThat(failures).isEqualTo(1);
    assertThat(in).isEqualTo(BLOCK_BYTES);
  }

  @Test
  void aFileThatEndsEarlyGivesNothing() {
    int first = save(100);
    int second = save(200);
    awaitWritten();
    disk.endFilesAt(BLOCK_BYTES + 8);

    assertThat(brings(first, 100)).isTrue();
    assertThat(brings(second, 200)).isFalse();
    assertThat(failures).isEqualTo(1);
  }

  @Test
  void otherBytesThanWereWrittenAreNotTaken() {
    disk.corrupt((operation, count) -> operation == Operation.WRITE && count == 1);
    int first = save(100);
    int second = save(200);
    awaitWritten();
    fill(1, 7);

    assertThat(brings(first, 100)).isTrue();
    fill(1, 7);
    assertThat(store.load(second, 1)).isFalse();
    assertThat(firstOf(1)).as("the block was not touched").isEqualTo(7);
    assertThat(failures).isEqualTo(1);
  }

  @Test
  void closingWaitsForNothing() {
    disk.before(this::awaitGate);
    save(100);

    store.close();

    assertThat(space.taken()).isZero();
    gate.countDown();
    store = open();
  }
}
