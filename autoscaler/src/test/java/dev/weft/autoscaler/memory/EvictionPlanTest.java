package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.memory.EvictionPlan.Candidate;
import dev.weft.autoscaler.memory.EvictionPlan.Evict;
import dev.weft.autoscaler.memory.EvictionPlan.Eviction;
import dev.weft.autoscaler.memory.EvictionPlan.NotEnough;
import dev.weft.autoscaler.memory.EvictionPlan.NotNeeded;
import dev.weft.autoscaler.memory.EvictionPlan.Outcome;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class EvictionPlanTest {
  @Test
  void evictsNothingWhereThereIsRoom() {
    assertThat(EvictionPlan.decide(100, 100, List.of(idle("a", 50, 1)))).isEqualTo(new NotNeeded());
  }

  @Test
  void evictsLeastRecentlyUsedFirst() {
    Outcome outcome =
        EvictionPlan.decide(
            100, 0, List.of(idle("new", 60, 3), idle("old", 60, 1), idle("middle", 60, 2)));

    assertThat(names(outcome)).containsExactly("old", "middle");
    assertThat(((Evict) outcome).freedBytes()).isEqualTo(120);
    assertThat(((Evict) outcome).evictions().getFirst())
        .isEqualTo(
            new Eviction(revision("old"), 60, "idle since 1970-01-01T00:00:01Z, holds 60 B"));
  }

  @Test
  void letsOffThoseThatTurnOutNotToBeNeeded() {
    Outcome outcome =
        EvictionPlan.decide(
            100, 0, List.of(idle("small", 10, 1), idle("middle", 30, 2), idle("big", 90, 3)));

    assertThat(names(outcome)).containsExactly("small", "big");
  }

  @Test
  void neverEvictsBusyOrPinnedOnes() {
    List<Candidate> instances =
        List.of(
            new Candidate(revision("busy"), 500, 0, Instant.EPOCH, true, false),
            new Candidate(revision("pinned"), 300, 0, Instant.EPOCH, false, true),
            new Candidate(revision("both"), 200, 0, Instant.EPOCH, true, true),
            idle("idle", 40, 9));

    assertThat(names(EvictionPlan.decide(40, 0, instances))).containsExactly("idle");
    assertThat(EvictionPlan.decide(100, 50, instances))
        .isEqualTo(
            new NotEnough(
                10,
                "50 B are missing; idle instances hold 40 B, busy ones 500 B, pinned ones 500 B"));
  }

  @Test
  void breaksTiesByName() {
    assertThat(names(EvictionPlan.decide(10, 0, List.of(idle("b", 10, 1), idle("a", 10, 1)))))
        .containsExactly("a");
  }

  private static List<String> names(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Evict.class);
    return ((Evict) outcome)
        .evictions().stream().map(eviction -> eviction.revision().function().value()).toList();
  }

  private static Candidate idle(String name, long bytes, long lastUsedSecond) {
    return new Candidate(
        revision(name), bytes, 0, Instant.ofEpochSecond(lastUsedSecond), false, false);
  }

  private static RevisionId revision(String name) {
    return new RevisionId(new FunctionName(name), 1);
  }
}
