package dev.weft.runtime.engine;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.TimedDecoder;
import dev.weft.runtime.memory.FlakyDisk;
import dev.weft.runtime.memory.FlakyDisk.Operation;
import dev.weft.runtime.memory.SwapSpace;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What an engine does with a sequence that was put back while an older one still runs.
@Timeout(60)
class SwapAheadTest extends DeviceLoopFixture {
  private static final int KV_BLOCKS = 12;
  private static final int BLOCK_TOKENS = 8;

  /// So long that what computing costs is measured.
  private static final int PROMPT = 11;

  private static final int LENGTH = 78;

  private final FlakyDisk disk = new FlakyDisk();
  private final SwapSpace swap = new SwapSpace(disk, 1 << 20);
  private final AtomicLong read = new AtomicLong();
  private final AtomicLong evicted = new AtomicLong();
  private final AtomicReference<@Nullable Seen> seen = new AtomicReference<>();
  private final Gate gate = new Gate();

  private record Seen(long evicted, long written, long read) {}

  private final class Counting implements EngineObserver {
    @Override
    public void onPreempted(RevisionId revision) {
      preemptions.incrementAndGet();
    }

    @Override
    public void onPrefixes(RevisionId revision, long reusedTokens, long evictedBlocks) {
      evicted.addAndGet(evictedBlocks);
    }

    @Override
    public void onSwapped(RevisionId revision, SwapPlace place, long bytesOut, long bytesIn) {
      read.addAndGet(bytesIn);
    }
  }

  @Test
  void itsBlocksAreWrittenAndReadBeforeTheyAreInTheWayAndNeeded() {
    var decoder =
        new FakeDecoder(KV_BLOCKS, BLOCK_TOKENS, DeviceLoopFixture::hashedLogits)
            .beforeStep(this::awaitSwap);
    var options = TestOptions.of(512, KV_BLOCKS, 16, 4, 4);
    var clock = EngineFixture.withoutDisk(nanos::get);
    try (var small = new DeviceLoop("small", new Counting(), settings(0), swap, clock)) {
      var instance =
          small.add(REVISION, new TimedDecoder(decoder, nanos), new ByteTokenizer(), options);
      var older = request(1).submitTo(instance);
      gate.awaitArrival();
      var newer = request(2).submitTo(instance);
      gate.open();
      var together = List.of(older.await().ids(), newer.await().ids());
      assertThat(preemptions.get()).isEqualTo(1);
      Seen near = requireNonNull(seen.get());
      assertThat(near.evicted()).isPositive();
      assertThat(near.written()).isGreaterThan(near.evicted());
      assertThat(near.read()).isPositive();
      assertThat(read).hasPositiveValue();

      assertThat(together)
          .containsExactly(request(1).run(instance).ids(), request(2).run(instance).ids());
    }
  }

  private static Requests request(int seed) {
    int[] prompt = new int[PROMPT];
    Arrays.fill(prompt, seed);
    return Requests.of(prompt).maxTokens(LENGTH - PROMPT).ignoringEnd().seed(seed);
  }

  /// Near its end the older one has taken blocks of the newer one, which cannot have come again.
  private void awaitSwap(StepBatch batch) {
    gate.accept(batch);
    awaitDisk();
    boolean near =
        batch.entries().size() == 1 && batch.entries().getFirst().position() == LENGTH - 3;
    if (near && preemptions.get() > 0) {
      seen.compareAndSet(
          null, new Seen(evicted.get(), disk.count(Operation.WRITE), disk.count(Operation.READ)));
    }
  }

  /// Steps take no time here: the disk gets the time that it needs.
  private void awaitDisk() {
    var idle = new CountDownLatch(1);
    swap.execute(idle::countDown);
    try {
      idle.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
