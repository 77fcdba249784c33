package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.FakeDecoder;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.GenerationListener.GenerationError;
import dev.weft.runtime.memory.SwapSpace;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/// A thousand requests from several threads against a cache that is too small: cancellations,
/// deadlines, shared prefixes, drafts, stop strings, failing steps, listeners that throw. Every
/// request ends exactly once, those that finish have the answer that they would have had alone, and
/// no block is left behind.
class EngineStormTest {
  private static final RevisionId REVISION = new RevisionId(new FunctionName("storm"), 1);
  private static final int REQUESTS = 1_000;
  private static final int THREADS = 4;
  private static final int BLOCKS = 40;

  private record Sent(Requests request, RecordingListener listener, boolean poisoned) {}

  /// What is sent: all that there is, as fast as it is taken; or, for a decoder that runs ahead,
  /// what lets it, so slowly that now and then nobody waits.
  private enum Storm {
    DENSE,
    AHEAD
  }

  @Property(tries = 5)
  void nothingIsLeftBehind(@ForAll long seed) throws InterruptedException {
    run(seed, Storm.DENSE);
  }

  @Property(tries = 5)
  void nothingIsLeftBehindByStepsThatAreSubmittedAhead(@ForAll long seed)
      throws InterruptedException {
    run(seed, Storm.AHEAD);
  }

  private static void run(long seed, Storm storm) throws InterruptedException {
    var preemptions = new AtomicInteger();
    var ended = new AtomicInteger();
    var reused = new AtomicLong();
    var evicted = new AtomicLong();
    var guessed = new AtomicLong();
    var observer =
        new EngineObserver() {
          @Override
          public void onPreempted(RevisionId revision) {
            preemptions.incrementAndGet();
          }

          @Override
          public void onPrefixes(RevisionId revision, long reusedTokens, long evictedBlocks) {
            reused.addAndGet(reusedTokens);
            evicted.addAndGet(evictedBlocks);
          }

          @Override
          public void onDrafted(RevisionId revision, int drafted, int accepted) {
            assertThat(accepted).isBetween(0, drafted);
            guessed.addAndGet(accepted);
          }

          @Override
          public void onEnded(RevisionId revision, Ended end) {
            ended.incrementAndGet();
          }
        };
    var steps = new AtomicLong();
    var decoder =
        new FakeDecoder(BLOCKS, 4, EngineStormTest::logits)
            .beforeStep(batch -> {
              // Now and then a whole step fails, and always one with poison in it.
              boolean crash = steps.incrementAndGet() % 50 == 0 && batch.entries().size() > 1;
              if (crash || poisoned(batch)) {
                throw new IllegalStateException("storm");
              }
            });
    if (storm == Storm.AHEAD) {
      decoder.runningAhead();
    }
    var settings = new DeviceLoop.Settings(4, 3, 16, Duration.ofMillis(5));
    var sent = new ArrayList<Sent>();
    var swap = new SwapSpace(Path.of("target", "storm"), 30 * decoder.kvLayout().blockBytes());
    try (var engine = new DeviceLoop("storm", observer, settings, swap, System::nanoTime)) {
      var instance =
          engine.add(
              REVISION,
              decoder,
              new ByteTokenizer(),
              TestOptions.of(BLOCKS * 4, BLOCKS, 24, 8, 30));
      var threads = new ArrayList<Thread>();
      for (int i = 0; i < THREADS; i++) {
        var random = new SplittableRandom(seed + i);
        threads.add(Thread.startVirtualThread(() -> send(instance, random, storm, sent)));
      }
      for (Thread thread : threads) {
        thread.join();
      }
      check(sent);
      assertThat(ended.get()).isEqualTo(sent.size());
      assertThat(preemptions.get()).isPositive();
      assertThat(reused.get()).isPositive();
      assertThat(evicted.get()).isPositive();
      assertThat(guessed.get() > 0).isEqualTo(storm == Storm.DENSE);
      assertThat(decoder.stepsAhead() > 0).isEqualTo(storm == Storm.AHEAD);
      assertThat(instance.load().busy()).isFalse();
      assertThat(instance.load().blocksActual()).isZero();
      assertThat(instance.load().blocksPlanned()).isZero();
    }
    assertThat(decoder.closed()).isTrue();
    assertThat(swap.taken()).isZero();
  }

  private static void send(
      DecoderInstance instance, SplittableRandom random, Storm storm, List<Sent> sent) {
    for (int i = 0; i < REQUESTS / THREADS; i++) {
      boolean poisoned = random.nextInt(25) == 0;
      var request = request(random, poisoned, storm);
      var listener = new RecordingListener();
      Submission submission = instance.submit(request.build(), listener);
      while (submission instanceof Submission.Rejected(var code, var message, _)) {
        assertThat(code).as(message).isEqualTo(Submission.Rejected.Code.QUEUE_FULL);
        // The queue empties as the steps go on.
        LockSupport.parkNanos(50_000);
        submission = instance.submit(request.build(), listener);
      }
      synchronized (sent) {
        sent.add(new Sent(request, listener, poisoned));
      }
      if (submission instanceof Submission.Admitted admitted && random.nextInt(5) == 0) {
        admitted.cancel();
      } else if (storm == Storm.AHEAD && random.nextInt(3) > 0) {
        listener.await();
      }
    }
  }

  private static Requests request(SplittableRandom random, boolean poisoned, Storm storm) {
    // Many begin alike, and some repeat themselves.
    int alike = random.nextInt(30);
    int[] prompt = random.ints(1 + alike + random.nextInt(10), 'a', 'z').toArray();
    Arrays.setAll(prompt, i -> i < alike ? 'a' + i % 3 : prompt[i]);
    if (poisoned) {
      prompt[random.nextInt(prompt.length)] = '!';
    }
    var request = Requests.of(prompt).maxTokens(1 + random.nextInt(80));
    if (random.nextInt(3) == 0) {
      request = request.seed(random.nextLong());
    }
    if (storm == Storm.DENSE && random.nextInt(3) == 0) {
      request = request.guessing(1 + random.nextInt(8));
    }
    if (random.nextInt(3) == 0) {
      request = request.stop("e", "ab");
    }
    if (random.nextInt(4) == 0) {
      request = request.minTokens(random.nextInt(20));
    }
    if (random.nextInt(20) == 0) {
      request = request.deadline(Duration.ofNanos(1 + random.nextInt(1_000_000)));
    }
    return random.nextInt(6) == 0 ? request.scored(2) : request;
  }

  private static void check(List<Sent> sent) {
    var errors = new HashMap<GenerationError.Code, Integer>();
    var decoder = new FakeDecoder(BLOCKS, 4, EngineStormTest::logits);
    var settings = new DeviceLoop.Settings(1_000, 64, 16, Duration.ofMillis(5));
    int compared = 0;
    try (var quiet =
        new DeviceLoop("quiet", EngineObserver.NONE, settings, SwapSpace.NONE, System::nanoTime)) {
      var alone =
          quiet.add(
              REVISION,
              decoder,
              new ByteTokenizer(),
              TestOptions.of(BLOCKS * 4, BLOCKS, 512, 1, 1));
      for (Sent one : sent) {
        var end = one.listener().await();
        assertThat(one.listener().heardAfterEnd()).isFalse();
        end.error().ifPresent(error -> errors.merge(error.code(), 1, Integer::sum));
        if (one.poisoned()) {
          assertThat(end.reason()).isEmpty();
        } else if (end.reason().isPresent() && compared++ < 200) {
          var expected = one.request().undisturbed().run(alone);
          assertThat(end.text()).isEqualTo(expected.text());
          assertThat(end.ids()).isEqualTo(expected.ids());
          assertThat(end.prompt()).isEqualTo(expected.prompt());
          var used = end.usage().orElseThrow();
          var usedAlone = expected.usage().orElseThrow();
          assertThat(used.promptTokens()).isEqualTo(usedAlone.promptTokens());
          assertThat(used.completionTokens()).isEqualTo(usedAlone.completionTokens());
          assertThat(used.cachedTokens()).isBetween(0, used.promptTokens() - 1);
        }
      }
    }
    assertThat(errors)
        .containsOnlyKeys(
            GenerationError.Code.CANCELLED,
            GenerationError.Code.DEADLINE,
            GenerationError.Code.INTERNAL);
    assertThat(Map.copyOf(errors).values()).allSatisfy(count -> assertThat(count).isPositive());
    assertThat(compared).isGreaterThan(100);
  }

  private static boolean poisoned(StepBatch batch) {
    return batch.entries().stream()
        .anyMatch(entry -> Arrays.stream(entry.tokens()).anyMatch(token -> token == '!'));
  }

  /// Letters, sometimes the end; they depend on every token before. Never poison. Often the letters
  /// go round in threes, as the prompts that begin alike do, so that guesses come true.
  private static float[] logits(int[] history) {
    var random = new SplittableRandom(Arrays.hashCode(history));
    float[] logits = new float[ByteTokenizer.VOCABULARY];
    Arrays.fill(logits, -1_000);
    for (int token = 'a'; token <= 'z'; token++) {
      logits[token] = (float) random.nextDouble(-5, 5);
    }
    int last = history[history.length - 1] - 'a';
    if (random.nextBoolean()) {
      logits['a' + last / 3 * 3 + (last + 1) % 3] = 6;
    }
    logits[ByteTokenizer.END] = (float) random.nextDouble(-5, 4.5);
    return logits;
  }
}
