package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.ForwardingDecoder;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import dev.weft.runtime.memory.PlainChunkMemory;
import dev.weft.runtime.memory.SwapSpace;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Sequences that were submitted together and take a chunk each in every fourth step, many more
/// than are mapped at once where little is needed: chunks are mapped beside steps, and none between
/// them.
@Timeout(60)
class MappedAheadTest {
  private static final int SEQUENCES = 64;
  private static final int BLOCK_TOKENS = 4;
  private static final int PROMPT = 8;
  private static final int ANSWER = 80;
  private static final int CHUNKS = 4096;

  /// Chunks that are mapped at once where little is needed.
  private static final int AT_ONCE = 24;

  /// Until as much has been mapped as is kept ahead.
  private static final int FIRST_STEPS = 16;

  private final MemoryLedger ledger = new MemoryLedger(CHUNKS * ChunkMemory.CHUNK_BYTES);
  private final ChunkPool pool =
      new ChunkPool(
          new PlainChunkMemory(ChunkMemory.CHUNK_BYTES, CHUNKS * ChunkMemory.CHUNK_BYTES));
  private final Balloon balloon = new Balloon(pool, ledger, Balloon.Observer.NONE);
  private final DeviceLoop engine =
      new DeviceLoop(
          "test", EngineObserver.NONE, DeviceLoopFixture.settings(0), SwapSpace.NONE, () -> 0);
  private volatile DeviceLoopFixture.Gate gate = new DeviceLoopFixture.Gate();
  private final List<Step> steps = new ArrayList<>();
  private final Reservation reservation = reserved(ledger.reserve("one", 0));
  private final KvShare share = balloon.open("one", ChunkMemory.CHUNK_BYTES, 32, reservation);

  /// Blocks that are mapped when a step begins and when its result is asked for.
  private record Step(StepBatch batch, int before, int after) {
    boolean decodes() {
      return batch.entries().size() == SEQUENCES && batch.rowCount() == SEQUENCES;
    }

    int taken() {
      return (int)
          batch.entries().stream().filter(entry -> entry.position() % BLOCK_TOKENS == 0).count();
    }
  }

  private static Reservation reserved(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Reserved.class);
    return ((Outcome.Reserved) outcome).reservation();
  }

  private final class Watched extends ForwardingDecoder {
    Watched(FakeDecoder decoder) {
      super(decoder);
    }

    @Override
    public PendingStep forward(StepBatch batch) {
      gate.accept(batch);
      int before = share.blocks();
      PendingStep step = super.forward(batch);
      return () -> {
        steps.add(new Step(batch, before, share.blocks()));
        return step.await();
      };
    }
  }

  @AfterEach
  void everythingIsGivenBack() {
    engine.close();
    reservation.close();
    assertThat(pool.freeCount()).isEqualTo(CHUNKS);
    pool.close();
  }

  private static Requests request(int seed) {
    return Requests.of(IntStream.range(0, PROMPT).map(i -> i == 0 ? seed : 'a' + i).toArray())
        .maxTokens(ANSWER)
        .ignoringEnd();
  }

  @Test
  void whatSequencesTakeIsMappedBesideTheStepsBefore() {
    var decoder = new FakeDecoder(CHUNKS, BLOCK_TOKENS, DeviceLoopFixture::hashedLogits);
    DecoderInstance instance =
        engine.add(
            new RevisionId(new FunctionName("one"), 1),
            new Watched(decoder.onClose(share.kv()::close)),
            new ByteTokenizer(),
            TestOptions.of(128, 0, 1024, SEQUENCES, 2 * SEQUENCES),
            share);
    // The second time, prefixes of the first are known, and are not to be dropped.
    for (int round = 0; round < 2; round++) {
      steps.clear();
      run(instance, round);

      List<Step> decodes = steps.stream().filter(Step::decodes).skip(FIRST_STEPS).toList();
      assertThat(decodes).hasSizeGreaterThan(ANSWER / 2);
      assertThat(decodes.stream().mapToInt(Step::taken).max().orElseThrow())
          .as("they take many at once")
          .isGreaterThan(AT_ONCE);
      for (int i = 1; i < decodes.size(); i++) {
        assertThat(decodes.get(i).before())
            .as("between steps %d and %d of round %d", i - 1, i, round)
            .isEqualTo(decodes.get(i - 1).after());
        assertThat(decodes.get(i).after() - decodes.get(i).before())
            .as("beside step %d: twice what a step takes on average", i)
            .isLessThanOrEqualTo(Math.max(AT_ONCE, 2 * SEQUENCES / BLOCK_TOKENS));
      }
      assertThat(decodes.getLast().after()).isGreaterThan(decodes.getFirst().before());
    }
  }

  /// All but the first one get into one step.
  private void run(DecoderInstance instance, int round) {
    gate = new DeviceLoopFixture.Gate();
    var all = new ArrayList<RecordingListener>();
    for (int i = 0; i < SEQUENCES; i++) {
      all.add(request(round * SEQUENCES + i).submitTo(instance));
    }
    gate.open();
    all.forEach(RecordingListener::await);
  }
}
