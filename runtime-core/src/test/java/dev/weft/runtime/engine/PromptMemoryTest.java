package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.ForwardingDecoder;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.foreign.NativeException;
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
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A long prompt whose memory another function's prefixes hold: what it takes for a step is mapped
/// beside the step before.
@Timeout(60)
class PromptMemoryTest {
  private static final int BLOCK_TOKENS = 4;
  private static final int MAX_ROWS = 256;
  private static final int CHUNKS = 600;
  private static final int IDLE_PROMPT = 500;
  private static final int LONG_PROMPT = 1_600;

  /// Chunks that are mapped at once where little is needed.
  private static final int AT_ONCE = 24;

  private final MemoryLedger ledger = new MemoryLedger(CHUNKS * ChunkMemory.CHUNK_BYTES);
  private final Refusing memory = new Refusing();
  private final ChunkPool pool = new ChunkPool(memory);
  private final Balloon balloon = new Balloon(pool, ledger, Balloon.Observer.NONE);
  private final DeviceLoop engine =
      new DeviceLoop(
          "test", EngineObserver.NONE, DeviceLoopFixture.settings(16), SwapSpace.NONE, () -> 0);
  private final List<Step> steps = new ArrayList<>();
  private final List<Reservation> reservations = new ArrayList<>();

  /// Blocks that are mapped when a step begins and when its result is asked for.
  private record Step(int rows, int before, int after) {}

  /// Maps no more than it is let.
  private static final class Refusing implements ChunkMemory {
    private final PlainChunkMemory memory = new PlainChunkMemory(CHUNK_BYTES, CHUNKS * CHUNK_BYTES);
    private final AtomicInteger left = new AtomicInteger(Integer.MAX_VALUE);
    private volatile boolean refused;

    @Override
    public long chunkBytes() {
      return memory.chunkBytes();
    }

    @Override
    public int chunkCount() {
      return memory.chunkCount();
    }

    @Override
    public long reserve(int chunks) {
      return memory.reserve(chunks);
    }

    @Override
    public void free(long address, int chunks) {
      memory.free(address, chunks);
    }

    @Override
    public void map(long address, int[] chunks) {
      if (chunks.length > left.get()) {
        refused = true;
        throw new NativeException("map", "is out of maps");
      }
      left.addAndGet(-chunks.length);
      memory.map(address, chunks);
    }

    @Override
    public void unmap(long address, int chunks) {
      memory.unmap(address, chunks);
    }

    @Override
    public void discard(int[] chunks) {
      memory.discard(chunks);
    }

    @Override
    public void close() {
      memory.close();
    }
  }

  private DecoderInstance add(String name) {
    assertThat(ledger.reserve(name, 0))
        .isInstanceOfSatisfying(
            Outcome.Reserved.class, granted -> reservations.add(granted.reservation()));
    KvShare share = balloon.open(name, ChunkMemory.CHUNK_BYTES, CHUNKS / 2, reservations.getLast());
    var fake =
        new FakeDecoder(CHUNKS, BLOCK_TOKENS, DeviceLoopFixture::hashedLogits)
            .onClose(share.kv()::close);
    var watched =
        new ForwardingDecoder(fake) {
          @Override
          public PendingStep forward(StepBatch batch) {
            int before = share.blocks();
            for (var entry : batch.entries()) {
              assertThat(Arrays.stream(entry.blocks())).allMatch(block -> block < before);
            }
            PendingStep step = super.forward(batch);
            return () -> {
              steps.add(new Step(batch.rowCount(), before, share.blocks()));
              return step.await();
            };
          }
        };
    return engine.add(
        new RevisionId(new FunctionName(name), 1),
        watched,
        new ByteTokenizer(),
        TestOptions.of(2_048, share.blocks(), MAX_ROWS, 4, 16),
        share);
  }

  private static Requests request(int seed, int length) {
    return Requests.of(IntStream.range(0, length).map(i -> i == 0 ? seed : 'a' + i % 20).toArray())
        .maxTokens(8)
        .ignoringEnd();
  }

  @AfterEach
  void everythingIsGivenBack() {
    engine.close();
    reservations.forEach(Reservation::close);
    assertThat(pool.freeCount()).isEqualTo(CHUNKS);
    assertThat(ledger.snapshot().actualBytes()).isZero();
    pool.close();
  }

  /// Fills all memory with prefixes that nobody runs; returns what came after each.
  private List<String> fill(DecoderInstance idle) {
    var answers = new ArrayList<String>();
    while (pool.freeCount() > 0) {
      answers.add(request(answers.size(), IDLE_PROMPT).run(idle).text());
    }
    return answers;
  }

  @Test
  void whatAPromptsStepTakesIsMappedBesideTheStepBefore() {
    DecoderInstance idle = add("idle");
    DecoderInstance busy = add("busy");
    List<String> answers = fill(idle);
    steps.clear();

    assertThat(request(250, LONG_PROMPT).run(busy).finishReason()).isEqualTo(FinishReason.LENGTH);

    assertThat(steps).as("it is computed in parts").hasSizeGreaterThan(LONG_PROMPT / MAX_ROWS);
    assertThat(steps.getFirst().before()).as("mapped before its first").isEqualTo(AT_ONCE);
    for (int i = 1; i < steps.size(); i++) {
      assertThat(steps.get(i).before())
          .as("mapped between steps %d and %d", i - 1, i)
          .isEqualTo(steps.get(i - 1).after());
    }
    for (Step step : steps) {
      assertThat(step.after() - step.before())
          .as("beside a step of %d rows", step.rows())
          .isLessThanOrEqualTo(Math.max(AT_ONCE, 4 * step.rows() / BLOCK_TOKENS + 1));
    }
    assertThat(steps.getLast().after()).isGreaterThanOrEqualTo(LONG_PROMPT / BLOCK_TOKENS);
    pool.checkIntegrity();
    assertThat(request(answers.size() - 1, IDLE_PROMPT).run(idle).text())
        .as("what was moved to make room is what it was")
        .isEqualTo(answers.getLast());
  }

  @Test
  void aPromptWhoseMemoryDoesNotComeWaitsForIt() {
    DecoderInstance first = add("first");
    String expected = request(250, LONG_PROMPT).run(first).text();
    first.close();
    reservations.removeLast().close();
    DecoderInstance busy = add("busy");
    memory.left.set(2 * AT_ONCE);
    RecordingListener answer = request(250, LONG_PROMPT).submitTo(busy);
    DeviceLoopFixture.awaitUntil(() -> memory.refused && busy.load().waiting() == 1);

    memory.left.set(Integer.MAX_VALUE);

    assertThat(answer.await().text()).isEqualTo(expected);
  }
}
