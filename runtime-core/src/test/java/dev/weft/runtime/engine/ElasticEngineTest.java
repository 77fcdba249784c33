package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.ForwardingDecoder;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.PlainChunkMemory;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.memory.VirtualTensor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Instances that share one device's KV memory, on decoders that find out when a block was lost,
/// moved wrongly or given to two. A chunk holds two blocks of 8 tokens.
class ElasticEngineTest {
  private static final int BLOCK_TOKENS = 8;
  private static final long BLOCK_BYTES = 4L * BLOCK_TOKENS;
  private static final long CHUNK_BYTES = 2 * BLOCK_BYTES;
  private static final int CHUNKS = 32;
  private static final int CONTEXT = 64;
  private static final int CONTEXT_CHUNKS = 4;
  private static final int WEIGHT_BYTES = 100;
  private static final int SEQUENCES = 16;
  private static final int MAX_ROWS = 64;

  private final MemoryLedger ledger = new MemoryLedger(CHUNKS * CHUNK_BYTES + 4 * WEIGHT_BYTES);
  private final ChunkPool pool =
      new ChunkPool(new PlainChunkMemory(CHUNK_BYTES, CHUNKS * CHUNK_BYTES));
  private final AtomicInteger moved = new AtomicInteger();
  private final AtomicInteger preempted = new AtomicInteger();
  private final AtomicLong later = new AtomicLong();
  private final Balloon balloon =
      new Balloon(
          pool,
          ledger,
          new Balloon.Observer() {
            @Override
            public void onMoved(String owner, int blocks) {
              moved.addAndGet(blocks);
            }
          });
  private final DeviceLoop engine =
      new DeviceLoop(
          "test",
          new EngineObserver() {
            @Override
            public void onPreempted(RevisionId revision) {
              preempted.incrementAndGet();
            }
          },
          new DeviceLoop.Settings(CONTEXT, 4, 16, Duration.ofMillis(5)),
          SwapSpace.NONE,
          () -> System.nanoTime() + later.get());
  private final List<MemoryLedger.Reservation> reservations = new ArrayList<>();
  private final ConcurrentHashMap<String, Integer> largestBatch = new ConcurrentHashMap<>();

  /// A new decoder with so many blocks.
  FakeDecoder fake(int blocks) {
    return new FakeDecoder(blocks, BLOCK_TOKENS, DeviceLoopFixture::hashedLogits);
  }

  private DecoderInstance instance(String name) {
    return instance(name, engine, CONTEXT, _ -> {});
  }

  /// @param atStep is told how many blocks are mapped
  private DecoderInstance instance(
      String name, DeviceLoop loop, int contextLength, IntConsumer atStep) {
    return instance(
        name,
        loop,
        contextLength,
        (share, fake) ->
            fake.beforeStep(batch -> {
              check(name, share, batch);
              atStep.accept(share.blocks());
            }));
  }

  private DecoderInstance instance(
      String name,
      DeviceLoop loop,
      int contextLength,
      BiFunction<KvShare, FakeDecoder, DecoderExecutable> change) {
    var reservation =
        ledger.reserve(name, WEIGHT_BYTES) instanceof Outcome.Reserved(var granted)
            ? granted
            : null;
    assertThat(reservation).isNotNull();
    reservations.add(reservation);
    KvShare share = balloon.open(name, BLOCK_BYTES, CONTEXT_CHUNKS, reservation);
    var decoder = fake(share.addressableBlocks()).onClose(share.kv()::close);
    var revision = new RevisionId(new FunctionName(name), 1);
    var options = TestOptions.of(contextLength, share.blocks(), MAX_ROWS, SEQUENCES, 64);
    return loop.add(revision, change.apply(share, decoder), new ByteTokenizer(), options, share);
  }

  /// An instance whose steps compute in `rowBytes` a row.
  private DecoderInstance computing(String name, int rowBytes) {
    var reservation =
        ledger.reserve(name, WEIGHT_BYTES) instanceof Outcome.Reserved(var granted)
            ? granted
            : null;
    assertThat(reservation).isNotNull();
    reservations.add(reservation);
    KvShare share = balloon.open(name, BLOCK_BYTES, CONTEXT_CHUNKS, reservation);
    var scratch = balloon.openScratch((long) MAX_ROWS * rowBytes);
    var fake =
        fake(share.addressableBlocks())
            .beforeStep(batch -> {
              check(name, share, batch);
              // As a backend does once it knows the step: no more than it was prepared for.
              int held = pool.snapshot().held(VirtualTensor.Kind.ACTIVATION);
              scratch.acquire((long) batch.rowCount() * rowBytes);
              assertThat(pool.snapshot().held(VirtualTensor.Kind.ACTIVATION)).isEqualTo(held);
            })
            .onClose(() -> {
              share.kv().close();
              scratch.close();
            });
    var decoder =
        new ForwardingDecoder(fake) {
          @Override
          public void prepare(int rows) {
            scratch.acquire((long) rows * rowBytes);
          }
        };
    var revision = new RevisionId(new FunctionName(name), 1);
    var options = TestOptions.of(CONTEXT, share.blocks(), MAX_ROWS, SEQUENCES, 64);
    return engine.add(revision, decoder, new ByteTokenizer(), options, share);
  }

  /// Prompts that come while all memory holds the sequences of others, and of their own instance.
  @Test
  void whatStepsComputeInComesBackFromSequences() {
    var prompts = new ArrayList<Integer>();
    for (int i = 0; i < SEQUENCES; i++) {
      prompts.add(10 + i);
    }
    List<String> expected = alone(prompts);
    // A step of all rows takes 16 of the 32 chunks, one of the sequences that continue a few.
    DecoderInstance first = computing("first", (int) (16 * CHUNK_BYTES / MAX_ROWS));
    DecoderInstance second = computing("second", 1);
    var all = new ArrayList<RecordingListener>();
    for (int prompt : prompts) {
      all.add(send(second, prompt, prompt));
    }
    all.getFirst().awaitFirstToken();
    for (int prompt : prompts) {
      all.add(send(first, prompt, prompt));
    }
    assertEnded(all);
    for (int i = 0; i < all.size(); i++) {
      assertThat(all.get(i).await().text()).isEqualTo(expected.get(i % prompts.size()));
    }
    first.close();
    assertThat(pool.snapshot().held(VirtualTensor.Kind.ACTIVATION))
        .as("the other's steps are small")
        .isLessThanOrEqualTo(1);
  }

  @Test
  void aStepsMemoryIsMappedWhileTheOneBeforeIsComputed() {
    var submitted = new ArrayList<Integer>();
    var awaited = new ArrayList<Integer>();
    DecoderInstance one =
        instance(
            "one",
            engine,
            4 * CONTEXT,
            (share, fake) ->
                new ForwardingDecoder(fake) {
                  @Override
                  public PendingStep forward(StepBatch batch) {
                    submitted.add(share.blocks());
                    PendingStep step = super.forward(batch);
                    return () -> {
                      awaited.add(share.blocks());
                      return step.await();
                    };
                  }
                });
    Requests.of('a', 'b').maxTokens(4 * CONTEXT - 2).ignoringEnd().submitTo(one).await();
    one.close();

    assertThat(awaited.getLast()).isGreaterThan(submitted.getFirst());
    assertThat(submitted.subList(1, submitted.size()))
        .isEqualTo(awaited.subList(0, awaited.size() - 1));
  }

  private void check(String name, KvShare share, StepBatch batch) {
    largestBatch.merge(name, batch.entries().size(), Math::max);
    for (var entry : batch.entries()) {
      for (int block : entry.blocks()) {
        assertThat(block).as("blocks are mapped").isLessThan(share.blocks());
      }
    }
    var held = ledger.snapshot();
    assertThat(held.actualBytes()).isLessThanOrEqualTo(held.capacityBytes());
    pool.checkIntegrity();
  }

  @AfterEach
  void everythingIsGivenBack() {
    engine.close();
    reservations.forEach(MemoryLedger.Reservation::close);
    assertThat(pool.freeCount()).isEqualTo(CHUNKS);
    assertThat(ledger.snapshot().actualBytes()).isZero();
    pool.close();
  }

  private static RecordingListener send(DecoderInstance to, int which, int prompt) {
    int tokens = CONTEXT - prompt;
    int[] ids = new int[prompt];
    for (int i = 0; i < prompt; i++) {
      // No two begin alike: what they had in common they would share.
      ids[i] = 'a' + (i == 0 ? which : i * 7 + prompt) % 20;
    }
    return Requests.of(ids).maxTokens(tokens).ignoringEnd().submitTo(to);
  }

  private static void assertEnded(List<RecordingListener> all) {
    for (RecordingListener listener : all) {
      assertThat(listener.await().finishReason()).isEqualTo(FinishReason.LENGTH);
    }
  }

  /// The same requests one at a time, on a device of their own.
  private List<String> alone(List<Integer> prompts) {
    var texts = new ArrayList<String>();
    DecoderInstance one = instance("alone");
    for (int prompt : prompts) {
      texts.add(send(one, prompt, prompt).await().text());
    }
    one.close();
    reservations.removeLast().close();
    return texts;
  }

  @Test
  void theBusyOneGetsTheIdleOnesMemory() {
    DecoderInstance busy = instance("busy");
    instance("idle");
    var all = new ArrayList<RecordingListener>();
    for (int i = 0; i < SEQUENCES; i++) {
      all.add(send(busy, i, 16));
    }
    assertEnded(all);
    // 32 chunks are 8 sequences of full length; half of them would be 4.
    assertThat(largestBatch.get("busy")).isEqualTo(CHUNKS / CONTEXT_CHUNKS);
  }

  /// A sequence that grows a block after the other asks for memory a few times, not for each block.
  @Test
  void memoryGrowsByAWatermarkAheadOfTheNeed() {
    var sizes = new ConcurrentSkipListSet<Integer>();
    var growing =
        new DeviceLoop(
            "growing",
            EngineObserver.NONE,
            new DeviceLoop.Settings(0, 4, 16, Duration.ofMillis(5)),
            SwapSpace.NONE,
            System::nanoTime);
    int context = CHUNKS * 2 * BLOCK_TOKENS;
    try (growing) {
      DecoderInstance one = instance("one", growing, context, sizes::add);
      int answer = context - 20;
      assertThat(Requests.ask("abcdef").maxTokens(answer).ignoringEnd().run(one).finishReason())
          .isEqualTo(FinishReason.LENGTH);
    }
    // From 1 to 62 blocks in steps of a quarter, where each chunk by itself would be 31 times.
    assertThat(sizes).hasSizeLessThan(16);
    assertThat(sizes.last()).isGreaterThanOrEqualTo((context - 20) / BLOCK_TOKENS);
  }

  @Test
  void memoryComesBackWhenItsOwnerIsBusy() {
    DecoderInstance first = instance("first");
    DecoderInstance second = instance("second");
    var prompts = new ArrayList<Integer>();
    for (int i = 0; i < 2 * SEQUENCES; i++) {
      prompts.add(10 + i);
    }
    List<String> expected = alone(prompts);
    var firsts = new ArrayList<RecordingListener>();
    var seconds = new ArrayList<RecordingListener>();
    for (int prompt : prompts) {
      firsts.add(send(first, prompt, prompt));
    }
    firsts.getFirst().awaitFirstToken();
    for (int prompt : prompts) {
      seconds.add(send(second, prompt, prompt));
    }
    assertEnded(firsts);
    assertEnded(seconds);
    for (int i = 0; i < prompts.size(); i++) {
      assertThat(firsts.get(i).await().text()).as("request %d", i).isEqualTo(expected.get(i));
      assertThat(seconds.get(i).await().text()).as("request %d", i).isEqualTo(expected.get(i));
    }
    assertThat(largestBatch.get("second")).isGreaterThanOrEqualTo(3);
    assertThat(preempted).hasPositiveValue();
  }

  @Test
  void whatIsNotUsedForAWhileIsGivenBack() {
    DecoderInstance one = instance("one");
    send(one, 1, 8).await();
    assertThat(pool.freeCount()).as("it is kept for the next").isLessThan(CHUNKS);

    later.addAndGet(Duration.ofMinutes(1).toNanos());

    DeviceLoopFixture.awaitUntil(() -> pool.freeCount() >= CHUNKS - CONTEXT_CHUNKS);
    long held = (long) CHUNKS - pool.freeCount();
    assertThat(held).as("cached prefixes stay").isPositive();
    assertThat(ledger.snapshot().actualBytes()).isEqualTo(WEIGHT_BYTES + held * CHUNK_BYTES);
    assertThat(send(one, 1, 8).await().finishReason()).isEqualTo(FinishReason.LENGTH);
  }

  @Test
  void aNewInstanceGetsRoomWhileOthersRun() {
    DecoderInstance busy = instance("busy");
    var all = new ArrayList<RecordingListener>();
    for (int i = 0; i < SEQUENCES; i++) {
      all.add(send(busy, i, 16));
    }
    all.getFirst().awaitFirstToken();
    long bytes = (CHUNKS - CONTEXT_CHUNKS) * CHUNK_BYTES;
    var outcome = new ArrayList<Outcome>();
    assertThat(engine.call(() -> outcome.add(balloon.reserve("newcomer", bytes)))).isTrue();
    assertThat(outcome.getFirst()).isInstanceOf(Outcome.Reserved.class);
    reservations.add(((Outcome.Reserved) outcome.getFirst()).reservation());
    // What is left is one context at a time, and enough for everyone in turn.
    assertEnded(all);
  }
}
