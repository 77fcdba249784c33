package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.backend.FakeEncoder;
import dev.weft.runtime.engine.Engine.EncoderInstance;
import dev.weft.runtime.memory.SwapSpace;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EncoderLoopTest {
  private static final int STEP_TOKENS = 20;

  private final DeviceLoop engine =
      new DeviceLoop(
          "test",
          EngineObserver.NONE,
          new DeviceLoop.Settings(0, 4, STEP_TOKENS, Duration.ofMillis(5)),
          SwapSpace.NONE,
          System::nanoTime);
  private final ConcurrentLinkedQueue<List<int[]>> steps = new ConcurrentLinkedQueue<>();
  private final CountDownLatch gate = new CountDownLatch(1);
  private final CountDownLatch arrived = new CountDownLatch(1);
  private final FakeEncoder encoder = new FakeEncoder().beforeStep(this::before);
  private final EncoderInstance instance =
      engine.add(new RevisionId(new FunctionName("test"), 1), encoder, ServiceLevel.DEFAULT);

  private void before(List<int[]> texts) {
    steps.add(texts);
    arrived.countDown();
    try {
      gate.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    if (texts.stream().anyMatch(text -> text[0] == '!')) {
      throw new IllegalStateException("poison");
    }
  }

  @AfterEach
  void closeEngine() {
    gate.countDown();
    engine.close();
  }

  @Test
  void vectorsComeInOrderWhateverTheSteps() {
    gate.countDown();
    var texts = texts(100, 3);

    var vectors = instance.embed(texts).join();

    for (int i = 0; i < texts.size(); i++) {
      assertThat(vectors.get(i)).isEqualTo(FakeEncoder.vector(texts.get(i)));
    }
    assertThat(steps).allSatisfy(step -> assertThat(tokens(step)).isLessThanOrEqualTo(STEP_TOKENS));
    assertThat(instance.load().busy()).isFalse();
  }

  @Test
  void aTextLongerThanTheBudgetGoesAlone() {
    gate.countDown();
    var texts = List.of(new int[] {1}, new int[50], new int[] {2});

    assertThat(instance.embed(texts).join()).hasSize(3);
    assertThat(steps).extracting(EncoderLoopTest::tokens).containsExactly(1, 50, 1);
  }

  @Test
  void noTextsNeedNoStep() {
    assertThat(instance.embed(List.of()).join()).isEmpty();
  }

  @Test
  void aSmallJobDoesNotWaitForALargeOne() {
    var large = instance.embed(texts(1_000, 10));
    await(arrived);
    var small = instance.embed(texts(1, 2));
    var stepsBefore = small.thenApply(_ -> steps.size());
    gate.countDown();

    assertThat(stepsBefore.join()).isLessThanOrEqualTo(3);
    assertThat(large.join()).hasSize(1_000);
    assertThat(steps).hasSizeGreaterThan(400);
  }

  @Test
  void cancellingDropsTheRest() {
    var cancelled = instance.embed(texts(1_000, 10));
    await(arrived);
    var other = instance.embed(texts(1, 2));
    assertThat(cancelled.cancel(false)).isTrue();
    gate.countDown();

    other.join();

    assertThat(steps).hasSizeLessThan(5);
    assertThat(instance.load().busy()).isFalse();
  }

  @Test
  void onlyTheJobThatFailsAloneFails() {
    var first = instance.embed(texts(1, 2));
    await(arrived);
    var good = instance.embed(texts(2, 2));
    var bad = instance.embed(List.of(new int[] {'!'}));
    var alsoGood = instance.embed(texts(2, 2));
    gate.countDown();

    assertFails(bad, EmbeddingException.Code.INTERNAL);
    assertThat(first.join()).hasSize(1);
    assertThat(good.join()).hasSize(2);
    assertThat(alsoGood.join()).hasSize(2);
    assertThat(instance.load().busy()).isFalse();
  }

  @Test
  void refusesMoreTextsThanMayWait() {
    var first = instance.embed(texts(20_000, 1));
    await(arrived);

    assertFails(instance.embed(texts(1, 1)), EmbeddingException.Code.QUEUE_FULL);

    gate.countDown();
    assertThat(first.join()).hasSize(20_000);
    assertThat(instance.embed(texts(1, 1)).join()).hasSize(1);
  }

  @Test
  void closingFailsWhatWaits() throws InterruptedException {
    var running = instance.embed(texts(100, 10));
    await(arrived);
    var closer = Thread.startVirtualThread(instance::close);
    while (!instance.embed(texts(1, 1)).isCompletedExceptionally()) {
      Thread.onSpinWait();
    }
    gate.countDown();
    closer.join();

    assertFails(running, EmbeddingException.Code.UNLOADED);
    assertFails(instance.embed(texts(1, 1)), EmbeddingException.Code.UNLOADED);
    assertThat(encoder.closed()).isTrue();
  }

  private static void assertFails(CompletableFuture<?> future, EmbeddingException.Code code) {
    assertThatThrownBy(future::join)
        .isInstanceOf(CompletionException.class)
        .cause()
        .isInstanceOfSatisfying(
            EmbeddingException.class, e -> assertThat(e.code()).isEqualTo(code));
  }

  private static List<int[]> texts(int count, int length) {
    var texts = new ArrayList<int[]>();
    for (int i = 0; i < count; i++) {
      int[] text = new int[length];
      text[0] = i % 30;
      texts.add(text);
    }
    return texts;
  }

  private static int tokens(List<int[]> texts) {
    return texts.stream().mapToInt(text -> text.length).sum();
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
