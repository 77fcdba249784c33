package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.backend.RandomAdapters;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What a whole engine promises on a backend, over a small random model: an answer depends on its
/// request alone, and nothing is left behind.
@Timeout(300)
public abstract class EngineContractTest extends EngineFixture {
  @Test
  void theSameRequestGivesTheSameTokensAloneInABatchChunkedAndAfterAPreemption() {
    var requests = new ArrayList<Requests>();
    for (int i = 0; i < 8; i++) {
      requests.add(request(5 + 9 * i, i));
    }
    var alone = new ArrayList<List<Integer>>();
    try (var instance = instance(64, 128, 256)) {
      requests.forEach(request -> alone.add(request.run(instance).ids()));
    }
    assertThat(alone).doesNotHaveDuplicates().allSatisfy(ids -> assertThat(ids).hasSize(40));

    try (var instance = instance(64, 128, 256)) {
      assertThat(runTogether(instance, requests)).as("in a batch of 8").isEqualTo(alone);
    }
    try (var instance = instance(64, 8, 256)) {
      assertThat(runTogether(instance, requests)).as("in chunks of up to 8").isEqualTo(alone);
    }
    assertThat(preemptions.get()).isZero();
    // Each of the longest needs 7 blocks of 16 tokens; growth is not planned for.
    try (var instance = instance(8, 128, 0)) {
      assertThat(runTogether(instance, requests)).as("with preemptions").isEqualTo(alone);
    }
    assertThat(preemptions.get()).isPositive();
  }

  /// Texts that begin alike, one after the other and together, with room for all and with too
  /// little.
  @Test
  void aKnownPrefixChangesNoAnswer() {
    var requests = new ArrayList<Requests>();
    for (int i = 0; i < 8; i++) {
      int shared = 20 * (i % 4);
      int[] own = tokens(7 + i, 50 + i);
      int[] prompt = IntStream.concat(IntStream.of(tokens(shared, 9)), IntStream.of(own)).toArray();
      var request = Requests.of(prompt).maxTokens(40).ignoringEnd();
      requests.add(i % 2 == 0 ? request : request.seed(i));
    }
    var fresh = new ArrayList<List<Integer>>();
    for (var request : requests) {
      try (var instance = instance(64, 128, 256)) {
        var end = request.run(instance);
        assertThat(end.usage().orElseThrow().cachedTokens()).isZero();
        fresh.add(end.ids());
      }
    }
    for (int blocks : new int[] {64, 12, 8}) {
      try (var instance = instance(blocks, 128, 0)) {
        var again = new ArrayList<List<Integer>>();
        int known = 0;
        for (var request : requests) {
          var end = request.run(instance);
          known += end.usage().orElseThrow().cachedTokens();
          again.add(end.ids());
        }
        assertThat(again).as("one after the other, %d blocks", blocks).isEqualTo(fresh);
        assertThat(known).isPositive();
        assertThat(runTogether(instance, requests))
            .as("together, %d blocks", blocks)
            .isEqualTo(fresh);
        assertThat(runTogether(instance, requests.reversed())).isEqualTo(fresh.reversed());
        assertThat(instance.load().blocksActual()).isZero();
      }
    }
    assertThat(evictions.get()).isPositive();
    assertThat(preemptions.get()).isPositive();
  }

  @Test
  void guessingAheadChangesNoAnswer() {
    var penalised = new SamplingParameters(0.7, 40, 0.95, 0.01, 0.4, 0.3, 1.1, Map.of(7, 1f), 5, 3);
    var requests = new ArrayList<Requests>();
    for (int i = 0; i < 6; i++) {
      // Texts that repeat themselves, so that there is something to guess from.
      int[] piece = tokens(11, i);
      int[] prompt = IntStream.range(0, 40).map(t -> piece[t % piece.length]).toArray();
      var request = Requests.of(prompt).maxTokens(50).minTokens(10);
      requests.add(
          switch (i % 3) {
            case 0 -> request;
            case 1 -> request.seed(i);
            default -> request.sampling(penalised);
          });
    }
    var guessing = requests.stream().map(request -> request.guessing(6)).toList();
    try (var instance = instance(64, 128, 256)) {
      var plain = new ArrayList<List<SampledToken>>();
      requests.forEach(request -> plain.add(request.run(instance).tokens()));
      assertThat(drafted.get()).isZero();

      for (int i = 0; i < requests.size(); i++) {
        assertThat(guessing.get(i).run(instance).tokens()).as("%d", i).isEqualTo(plain.get(i));
      }
      var listeners = guessing.stream().map(request -> request.submitTo(instance)).toList();
      for (int i = 0; i < requests.size(); i++) {
        assertThat(listeners.get(i).await().tokens()).isEqualTo(plain.get(i));
      }
    }
    assertThat(drafted.get()).isGreaterThan(accepted.get());
    assertThat(accepted.get()).as("a greedy tiny model repeats itself").isPositive();
    var alone = requests.stream().map(this::runAlone).toList();
    try (var instance = instance(10, 16, 0)) {
      assertThat(runTogether(instance, guessing)).as("with preemptions").isEqualTo(alone);
    }
    assertThat(preemptions.get()).isPositive();
  }

  @Test
  void aSeedGivesTheSameTokensInAnyCompany() {
    var requests = new ArrayList<Requests>();
    for (int i = 0; i < 6; i++) {
      requests.add(request(10, 1).seed(i));
    }
    try (var instance = instance(64, 128, 256)) {
      var alone = new ArrayList<List<Integer>>();
      requests.forEach(request -> alone.add(request.run(instance).ids()));

      assertThat(runTogether(instance, requests)).isEqualTo(alone);
      assertThat(alone).as("seeds differ").doesNotHaveDuplicates();
    }
  }

  @Test
  void aGenerationGoesOnElsewhereWithTheTokensThatItWouldHaveHad() {
    var penalized = new SamplingParameters(1, 0, 1, 0, 0.5, 0.5, 1.2, Map.of(), 11, -1);
    var requests =
        List.of(request(20, 3), request(9, 4).seed(5), request(33, 6).sampling(penalized));
    var whole = new ArrayList<List<Integer>>();
    try (var instance = instance(64, 128, 256)) {
      requests.forEach(request -> whole.add(request.run(instance).ids()));
    }
    try (var elsewhere = instance(64, 128, 256)) {
      for (int i = 0; i < requests.size(); i++) {
        for (int told : new int[] {1, 17, 39, 40}) {
          var begun = whole.get(i).subList(0, told).stream().mapToInt(Integer::intValue).toArray();
          var listener = new RecordingListener();
          elsewhere.submit(requests.get(i).build().after(begun), listener);
          var end = listener.await();
          assertThat(end.ids()).isEqualTo(whole.get(i).subList(told, 40));
          assertThat(end.reason()).contains(FinishReason.LENGTH);
          assertThat(end.usage().orElseThrow().completionTokens()).isEqualTo(40);
        }
      }
    }
  }

  @Test
  void scoringAPromptGivesTheLikelihoodOfItsOwnContinuation() {
    try (var instance = instance(64, 128, 256)) {
      var request = request(20, 3);
      var generated = request.run(instance).ids();
      int[] whole =
          IntStream.concat(
                  IntStream.of(request.prompt()), generated.stream().mapToInt(Integer::intValue))
              .toArray();

      var scored = Requests.of(whole).scored(1).maxTokens(1).run(instance).prompt();

      // Greedy tokens are their rows' best.
      for (int i = request.prompt().length; i < whole.length; i++) {
        assertThat(scored.get(i).alternatives().getFirst().token()).isEqualTo(whole[i]);
        assertThat(scored.get(i).logprob())
            .isEqualTo(scored.get(i).alternatives().getFirst().logprob())
            .isNegative();
      }
    }
  }

  @Test
  void nothingIsLeftAfterAStorm() {
    var random = new SplittableRandom(4);
    var listeners = new ArrayList<RecordingListener>();
    int stopped = 0;
    try (var instance = instance(24, 64, 32)) {
      for (int i = 0; i < 120; i++) {
        var listener = new RecordingListener();
        var request = request(1 + random.nextInt(60), i).maxTokens(1 + random.nextInt(30));
        switch (instance.submit(request.seed(i).build(), listener)) {
          case Submission.Admitted admitted -> {
            listeners.add(listener);
            if (random.nextInt(3) == 0) {
              listener.awaitFirstTokenOrEnd();
              admitted.cancel();
            }
          }
          case Submission.Rejected rejected ->
              assertThat(rejected.code()).isEqualTo(Submission.Rejected.Code.QUEUE_FULL);
        }
      }
      for (var listener : listeners) {
        stopped += listener.await().error().isPresent() ? 1 : 0;
      }
      assertThat(instance.load().busy()).isFalse();
      assertThat(instance.load().blocksActual()).isZero();
      assertThat(instance.load().blocksPlanned()).isZero();
    }
    assertThat(stopped).isPositive().isLessThan(listeners.size());
    assertThat(listeners).noneMatch(RecordingListener::heardAfterEnd);
  }

  @Test
  void embeddingManyTextsDoesNotStallAStream() {
    var engine = engine(256);
    try (var decoder = add(engine, 64, 128);
        var encoder = encoder(engine)) {
      var texts = new ArrayList<int[]>();
      for (int i = 0; i < 800; i++) {
        // Within the encoder's small vocabulary.
        texts.add(new SplittableRandom(i).ints(1 + i % 30, 0, 80).toArray());
      }
      var alone = encoder.embed(texts.subList(7, 8)).join().getFirst();
      kinds.clear();
      var stream = new RecordingListener();
      var started = new CompletableFuture<CompletableFuture<List<float[]>>>();

      // The texts come with the first token, while the stream runs.
      decoder.submit(
          request(12, 1).build(),
          stream.onFirstToken(() -> started.complete(encoder.embed(texts))));

      assertThat(stream.await().finishReason()).isEqualTo(FinishReason.LENGTH);
      var vectors = started.join().join();
      assertThat(vectors).hasSize(800);
      assertThat(vectors.get(7)).isEqualTo(alone);
      var order = List.copyOf(kinds);
      var whileStreaming = order.subList(order.indexOf("token"), order.lastIndexOf("token"));
      assertThat(whileStreaming).contains("texts");
      for (int i = 1; i < whileStreaming.size(); i++) {
        assertThat(whileStreaming.subList(i - 1, i + 1))
            .as("two steps of texts never follow each other")
            .contains("token");
      }
    }
  }

  @Test
  void adaptersRunInTheSameStepsAndAnswerAsTheyDoAlone() {
    try (var base = instance(64, 128, 256)) {
      var instances = List.of(base, adapted(base, "a", 1), adapted(base, "b", 2));
      var request = request(9, 1);
      var alone = new ArrayList<List<Integer>>();
      instances.forEach(instance -> alone.add(request.run(instance).ids()));
      assertThat(alone).as("each says something else").doesNotHaveDuplicates();
      steps.clear();

      // Three of each, in turns; repeated, since the first may run before the last has come.
      for (int round = 0; round < 5; round++) {
        var together = new ArrayList<RecordingListener>();
        for (int i = 0; i < 9; i++) {
          together.add(request.submitTo(instances.get(i % 3)));
        }
        for (int i = 0; i < 9; i++) {
          assertThat(together.get(i).await().ids()).isEqualTo(alone.get(i % 3));
        }
      }
      assertThat(steps).as("sequences a step").contains(8);
      instances.forEach(instance -> assertThat(instance.load().busy()).isFalse());
    }
  }

  @Test
  void closingAnAdapterEndsItsRequestsAndNoOthers() {
    try (var base = instance(64, 128, 256)) {
      var leaving = adapted(base, "a", 1);
      var staying = adapted(base, "b", 2);
      var request = request(5, 1).maxTokens(150);
      var alone = List.of(request.run(base).ids(), request.run(staying).ids());
      var ended = request.submitTo(leaving);
      var others = List.of(request.submitTo(base), request.submitTo(staying));
      ended.awaitFirstTokenOrEnd();

      leaving.close();
      leaving.close();

      assertThat(ended.await().error().map(GenerationListener.GenerationError::code))
          .hasValue(GenerationListener.GenerationError.Code.UNLOADED);
      assertThat(leaving.submit(request.build(), new RecordingListener()))
          .isInstanceOf(Submission.Rejected.class);
      assertThat(others.stream().map(each -> each.await().ids()).toList()).isEqualTo(alone);
      assertThat(request.run(staying).ids()).isEqualTo(alone.getLast());
    }
  }

  @Test
  void anAdapterHasAQueueOfItsOwn() {
    try (var base = instance(64, 128, 256)) {
      var small = adapted(base, "a", 1, 0);
      var admitted = new ArrayList<RecordingListener>();
      int refused = 0;
      for (int i = 0; i < 20; i++) {
        var listener = new RecordingListener();
        if (small.submit(request(5, i).build(), listener) instanceof Submission.Admitted) {
          admitted.add(listener);
        } else {
          refused++;
        }
      }
      var other = request(5, 1).submitTo(base);

      assertThat(refused).isPositive();
      assertThat(other.await().finishReason()).isEqualTo(FinishReason.LENGTH);
      admitted.forEach(
          each -> assertThat(each.await().finishReason()).isEqualTo(FinishReason.LENGTH));
      assertThat(small.load().busy()).isFalse();
    }
  }

  private DecoderInstance adapted(DecoderInstance base, String name, long seed) {
    return adapted(base, name, seed, 32);
  }

  private DecoderInstance adapted(DecoderInstance base, String name, long seed, int mostWaiting) {
    return base.adapt(revision(name), RandomAdapters.all(spec(), 8, DType.BF16, seed), mostWaiting);
  }

  private static RevisionId revision(String name) {
    return new RevisionId(new FunctionName(name), 1);
  }

  private DecoderSpec spec() {
    try (var model = ModelFiles.open(TinyModels.llama(directory, 7).writeGguf())) {
      return (DecoderSpec) model.spec();
    }
  }
}
