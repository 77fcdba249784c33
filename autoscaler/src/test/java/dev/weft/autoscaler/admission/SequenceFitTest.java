package dev.weft.autoscaler.admission;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.admission.SequenceFit.Code;
import dev.weft.autoscaler.admission.SequenceFit.Demand;
import dev.weft.autoscaler.admission.SequenceFit.Instance;
import dev.weft.autoscaler.admission.SequenceFit.Rejected;
import dev.weft.autoscaler.admission.SequenceFit.Runs;
import dev.weft.autoscaler.admission.SequenceFit.Waits;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class SequenceFitTest {
  private static final int CONTEXT = 1_024;
  private static final int MAX_SEQUENCES = 4;
  private static final int MAX_WAITING = 2;
  private static final int CAPACITY = 70;
  private static final int TOKENS_PER_BLOCK = 16;

  @Test
  void runsAtOnceOnAnIdleInstance() {
    assertThat(SequenceFit.decide(new Demand(100, 28), instance(0, 0, 0))).isEqualTo(new Runs(8));
    assertThat(SequenceFit.decide(new Demand(100, 29), instance(0, 0, 0))).isEqualTo(new Runs(9));
  }

  @Test
  void fillsTheContextToItsLastToken() {
    assertThat(SequenceFit.decide(new Demand(1_000, 24), instance(0, 0, 0)))
        .isEqualTo(new Runs(64));
    assertThat(SequenceFit.decide(new Demand(1_000, 25), instance(0, 0, 0)))
        .isEqualTo(
            new Rejected(
                Code.CONTEXT_LENGTH,
                "1,000 prompt tokens and up to 25 more exceed the context of 1,024 tokens"));
    assertThat(
            SequenceFit.decide(new Demand(Integer.MAX_VALUE, Integer.MAX_VALUE), instance(0, 0, 0)))
        .isInstanceOf(Rejected.class);
  }

  @Test
  void refusesASequenceThatTheGrantCanNeverHold() {
    Instance small = new Instance(CONTEXT, MAX_SEQUENCES, MAX_WAITING, 0, 0, 0, 10, 16);
    assertThat(SequenceFit.decide(new Demand(161, 0), small))
        .isEqualTo(
            new Rejected(Code.NEVER_FITS, "161 tokens need 11 KV blocks, the instance has 10"));
    assertThat(SequenceFit.decide(new Demand(160, 0), small)).isEqualTo(new Runs(10));
  }

  @Test
  void waitsForBlocks() {
    assertThat(SequenceFit.decide(new Demand(16, 0), instance(1, 0, CAPACITY)))
        .isEqualTo(new Waits(1, "needs 1 KV blocks, 0 are free"));
  }

  @Test
  void waitsForAPlaceInTheBatch() {
    assertThat(SequenceFit.decide(new Demand(16, 0), instance(MAX_SEQUENCES, 0, 4)))
        .isEqualTo(new Waits(1, "4 sequences run, the most of one batch"));
  }

  @Test
  void doesNotOvertakeThoseThatWait() {
    assertThat(SequenceFit.decide(new Demand(16, 0), instance(1, 1, 1)))
        .isEqualTo(new Waits(1, "1 requests wait before it"));
  }

  @Test
  void refusesWhenTheQueueIsFull() {
    assertThat(SequenceFit.decide(new Demand(16, 0), instance(1, MAX_WAITING, 1)))
        .isEqualTo(new Rejected(Code.QUEUE_FULL, "2 requests wait already, the most that may"));
  }

  @Test
  void saysThatARequestCanNeverRunBeforeThatTheQueueIsFull() {
    assertThat(SequenceFit.decide(new Demand(2_000, 0), instance(1, MAX_WAITING, 1)))
        .isInstanceOfSatisfying(
            Rejected.class, r -> assertThat(r.code()).isEqualTo(Code.CONTEXT_LENGTH));
  }

  @Test
  void needsNoBlocksForAModelWithoutKvCache() {
    Instance encoder = new Instance(256, 8, 8, 3, 0, 0, 0, 0);
    assertThat(SequenceFit.decide(new Demand(256, 0), encoder)).isEqualTo(new Runs(0));
  }

  /// Requests come and go at random: planned blocks stay within the capacity, the batch and the
  /// queue within their bounds, and all that was let in has run in the end.
  @Property(tries = 200)
  void neverOverCommitsAndLosesNobody(@ForAll long seed) {
    Random random = new Random(seed);
    Deque<Demand> waiting = new ArrayDeque<>();
    List<Integer> running = new ArrayList<>();
    int admitted = 0;
    int started = 0;
    for (int step = 0; step < 300 || !waiting.isEmpty(); step++) {
      if (step < 300) {
        Demand demand = new Demand(1 + random.nextInt(CONTEXT + 50), random.nextInt(100));
        switch (SequenceFit.decide(demand, instance(running, waiting.size()))) {
          case Runs(var blocks) -> {
            running.add(blocks);
            admitted++;
            started++;
          }
          case Waits(_, _) -> {
            waiting.add(demand);
            admitted++;
          }
          case Rejected(_, _) -> {}
        }
      }
      if (!running.isEmpty() && random.nextBoolean()) {
        running.remove(/* index */ random.nextInt(running.size()));
      }
      // The queue's head is asked about as if it were alone: it waits for nobody.
      while (!waiting.isEmpty()
          && SequenceFit.decide(waiting.peek(), instance(running, 0)) instanceof Runs runs) {
        running.add(runs.blocks());
        waiting.remove();
        started++;
      }
      assertThat(running.stream().mapToInt(Integer::intValue).sum()).isLessThanOrEqualTo(CAPACITY);
      assertThat(running).hasSizeLessThanOrEqualTo(MAX_SEQUENCES);
      assertThat(waiting).hasSizeLessThanOrEqualTo(MAX_WAITING);
    }
    assertThat(started).isEqualTo(admitted);
  }

  private static Instance instance(List<Integer> running, int waiting) {
    return instance(running.size(), waiting, running.stream().mapToInt(Integer::intValue).sum());
  }

  private static Instance instance(int running, int waiting, int planned) {
    return new Instance(
        CONTEXT, MAX_SEQUENCES, MAX_WAITING, running, waiting, planned, CAPACITY, TOKENS_PER_BLOCK);
  }
}
