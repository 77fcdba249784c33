package dev.weft.autoscaler.memory;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.memory.EvictionPlan.Candidate;
import dev.weft.autoscaler.memory.EvictionPlan.Evict;
import dev.weft.autoscaler.memory.EvictionPlan.Eviction;
import dev.weft.autoscaler.memory.EvictionPlan.NotEnough;
import dev.weft.autoscaler.memory.EvictionPlan.NotNeeded;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.LongRange;

class EvictionPlanPropertyTest {
  @Property
  void freesEnoughFromIdleUnpinnedInstancesOnly(
      @ForAll @LongRange(max = 2_000) long needed,
      @ForAll @LongRange(max = 1_000) long free,
      @ForAll("instances") List<Candidate> instances) {
    Map<RevisionId, Candidate> byRevision = byRevision(instances);
    long evictable = evictableBytes(instances);
    switch (EvictionPlan.decide(needed, free, instances)) {
      case NotNeeded() -> assertThat(free).isGreaterThanOrEqualTo(needed);
      case NotEnough(var missing, _) ->
          assertThat(missing).isPositive().isEqualTo(needed - free - evictable);
      case Evict evict -> {
        assertThat(free).isLessThan(needed);
        Set<RevisionId> seen = new HashSet<>();
        for (Eviction eviction : evict.evictions()) {
          Candidate candidate = requireNonNull(byRevision.get(eviction.revision()));
          assertThat(candidate.busy() || candidate.pinned()).isFalse();
          assertThat(eviction.bytes()).isEqualTo(candidate.bytes());
          assertThat(seen.add(eviction.revision())).as("evicted once").isTrue();
        }
        assertThat(free + evict.freedBytes()).isGreaterThanOrEqualTo(needed);
      }
    }
  }

  @Property
  void evictsNoneThatIsNotNeeded(
      @ForAll @LongRange(min = 1, max = 2_000) long needed,
      @ForAll("instances") List<Candidate> instances) {
    if (EvictionPlan.decide(needed, 0, instances) instanceof Evict evict) {
      for (Eviction eviction : evict.evictions()) {
        assertThat(evict.freedBytes() - eviction.bytes())
            .as("without %s", eviction.revision())
            .isLessThan(needed);
      }
    }
  }

  @Property
  void ofAHigherPriorityGoesOnlyWhatAllOfLowerOnesCouldNotReplace(
      @ForAll @LongRange(min = 1, max = 2_000) long needed,
      @ForAll("instances") List<Candidate> instances) {
    if (EvictionPlan.decide(needed, 0, instances) instanceof Evict evict) {
      Map<RevisionId, Candidate> byRevision = byRevision(instances);
      for (Eviction eviction : evict.evictions()) {
        int priority = requireNonNull(byRevision.get(eviction.revision())).priority();
        long below =
            evictableBytes(instances.stream().filter(each -> each.priority() < priority).toList());
        assertThat(below).as("%s goes", eviction.revision()).isLessThan(needed);
      }
    }
  }

  @Property
  void doesNotDependOnTheOrderOfTheSnapshot(
      @ForAll @LongRange(max = 2_000) long needed,
      @ForAll("instances") List<Candidate> instances,
      @ForAll long seed) {
    List<Candidate> shuffled = new ArrayList<>(instances);
    Collections.shuffle(shuffled, new Random(seed));
    assertThat(EvictionPlan.decide(needed, 0, shuffled))
        .isEqualTo(EvictionPlan.decide(needed, 0, instances));
  }

  /// Loads, uses and pins instances at random on a device of 1,000 bytes, evicting as planned: what
  /// is held never exceeds the capacity, and a load is refused only when busy and pinned ones are
  /// in its way.
  @Property(tries = 200)
  void neverExceedsTheCapacity(@ForAll long seed) {
    long capacity = 1_000;
    Random random = new Random(seed);
    Map<RevisionId, Candidate> held = new HashMap<>();
    for (int step = 0; step < 200; step++) {
      Instant now = Instant.ofEpochSecond(step);
      RevisionId revision = revision(random.nextInt(30));
      long bytes = 1L + random.nextInt(400);
      held.remove(revision);
      List<Candidate> instances = List.copyOf(held.values());
      long free = capacity - instances.stream().mapToLong(Candidate::bytes).sum();
      switch (EvictionPlan.decide(bytes, free, instances)) {
        case NotNeeded() -> hold(held, revision, bytes, now, random);
        case Evict evict -> {
          evict.evictions().forEach(eviction -> held.remove(eviction.revision()));
          hold(held, revision, bytes, now, random);
        }
        case NotEnough(_, _) -> assertThat(free + evictableBytes(instances)).isLessThan(bytes);
      }
      assertThat(held.values().stream().mapToLong(Candidate::bytes).sum())
          .isLessThanOrEqualTo(capacity);
      held.replaceAll((_, candidate) -> random.nextInt(3) == 0 ? idle(candidate) : candidate);
    }
  }

  @Provide
  Arbitrary<List<Candidate>> instances() {
    Arbitrary<Candidate> candidate =
        Combinators.combine(
                Arbitraries.integers().between(0, 99),
                Arbitraries.longs().between(0, 300),
                Arbitraries.longs().between(0, 20),
                Arbitraries.of(true, false, false),
                Arbitraries.of(true, false, false),
                Arbitraries.integers().between(1, 3))
            .as((name, bytes, used, busy, pinned, priority) ->
                new Candidate(
                    revision(name), bytes, 0, Instant.ofEpochSecond(used), busy, pinned, priority));
    return candidate.list().ofMaxSize(12).uniqueElements(Candidate::revision);
  }

  private static void hold(
      Map<RevisionId, Candidate> held,
      RevisionId revision,
      long bytes,
      Instant now,
      Random random) {
    held.put(
        revision,
        new Candidate(revision, bytes, 0, now, random.nextBoolean(), random.nextInt(10) == 0));
  }

  private static Candidate idle(Candidate candidate) {
    return new Candidate(
        candidate.revision(),
        candidate.bytes(),
        0,
        candidate.lastUsedAt(),
        false,
        candidate.pinned());
  }

  private static long evictableBytes(List<Candidate> instances) {
    return instances.stream()
        .filter(candidate -> !candidate.busy() && !candidate.pinned())
        .mapToLong(Candidate::bytes)
        .sum();
  }

  private static Map<RevisionId, Candidate> byRevision(List<Candidate> instances) {
    Map<RevisionId, Candidate> byRevision = new HashMap<>();
    instances.forEach(candidate -> byRevision.put(candidate.revision(), candidate));
    return byRevision;
  }

  private static RevisionId revision(int number) {
    return new RevisionId(new FunctionName("f" + number), 1);
  }
}
