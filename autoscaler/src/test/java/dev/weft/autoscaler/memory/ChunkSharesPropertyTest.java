package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.memory.ChunkShares.Member;
import dev.weft.autoscaler.memory.ChunkShares.Outcome.Granted;
import dev.weft.autoscaler.memory.ChunkShares.Outcome.Refused;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

/// For any members of a device on which all guarantees fit.
class ChunkSharesPropertyTest {
  /// Grants are whole, live chunks are taken from nobody below its guarantee, and nothing is
  /// refused to an asker within its own.
  @Property(tries = 2_000)
  void keepsItsPromises(
      @ForAll("members") List<Member> members,
      @ForAll @IntRange(max = 40) int free,
      @ForAll @IntRange(min = 1, max = 30) int needed,
      @ForAll @IntRange(max = 8) int headroom) {
    Member first = members.getFirst();
    Member asker =
        new Member(
            first.name(),
            first.held(),
            first.live(),
            first.cached(),
            Math.max(first.wanted(), needed),
            first.guarantee());
    List<Member> others = members.subList(1, members.size());
    int total = free + members.stream().mapToInt(Member::held).sum();
    boolean admitted = members.stream().mapToInt(Member::guarantee).sum() <= total;

    switch (ChunkShares.decide(needed, asker, others, free, headroom)) {
      case Granted(int fromFree, List<Integer> taken) -> {
        assertThat(fromFree).isEqualTo(Math.min(free, needed));
        assertThat(fromFree + taken.stream().mapToInt(n -> n).sum()).isEqualTo(needed);
        for (int i = 0; i < taken.size(); i++) {
          Member other = others.get(i);
          int left = other.held() - taken.get(i);
          assertThat(left).isNotNegative();
          if (left < other.live() && admitted) {
            assertThat(left).isGreaterThanOrEqualTo(Math.min(other.guarantee(), other.live()));
          }
        }
      }
      case Refused(int missing, String reason) -> {
        assertThat(missing).isBetween(1, needed);
        assertThat(reason).isNotBlank();
        // What the asker holds beyond its live chunks it could use before it asks.
        boolean empty = asker.live() == asker.held();
        if (admitted && empty && asker.live() + needed <= asker.guarantee()) {
          throw new AssertionError("a guarantee was refused: " + reason);
        }
      }
    }
  }

  @Property(tries = 2_000)
  void entitlementsAreFairAndWithinWhatThereIs(
      @ForAll("members") List<Member> members, @ForAll @IntRange(max = 40) int free) {
    int total = free + members.stream().mapToInt(Member::held).sum();
    if (members.stream().mapToInt(Member::guarantee).sum() > total) {
      return;
    }
    int last = members.size() - 1;
    long[] entitled = ChunkShares.entitlements(members.get(last), members.subList(0, last), free);
    long sum = IntStream.range(0, entitled.length).mapToLong(i -> entitled[i]).sum();
    long demand = members.stream().mapToLong(Member::demand).sum();
    assertThat(sum).isEqualTo(Math.min(total, demand));
    for (int i = 0; i <= last; i++) {
      Member one = members.get(i);
      assertThat(entitled[i]).isBetween(Math.min(one.guarantee(), one.demand()), one.demand());
      for (int j = 0; j <= last; j++) {
        Member other = members.get(j);
        long beyond = entitled[j] - Math.min(other.guarantee(), other.demand());
        long own = entitled[i] - Math.min(one.guarantee(), one.demand());
        if (entitled[i] < one.demand()) {
          assertThat(own).as("nobody gets more of the rest").isGreaterThanOrEqualTo(beyond - 1);
        }
      }
    }
  }

  /// Whoever has a higher priority loses no live chunk to one that has its guarantee, and a higher
  /// priority never means a smaller part.
  @Property(tries = 2_000)
  void aLowerPriorityTakesNothingOfAHigherBeyondItsGuarantee(
      @ForAll("members") List<Member> equals,
      @ForAll @Size(5) List<@IntRange(min = 1, max = 9) Integer> priorities,
      @ForAll @IntRange(max = 40) int free,
      @ForAll @IntRange(min = 1, max = 30) int needed) {
    List<Member> members =
        IntStream.range(0, equals.size())
            .mapToObj(i -> with(equals.get(i), priorities.get(i), i == 0 ? needed : 0))
            .toList();
    Member asker = members.getFirst();
    List<Member> others = members.subList(1, members.size());
    int total = free + members.stream().mapToInt(Member::held).sum();
    boolean admitted = members.stream().mapToInt(Member::guarantee).sum() <= total;
    boolean guaranteed = asker.live() + needed <= asker.guarantee();
    switch (ChunkShares.decide(needed, asker, others, free, 0)) {
      case Granted(int _, List<Integer> taken) -> {
        for (int i = 0; i < taken.size(); i++) {
          Member other = others.get(i);
          if (other.priority() > asker.priority() && !guaranteed) {
            assertThat(other.held() - taken.get(i)).isGreaterThanOrEqualTo(other.live());
          }
        }
      }
      case Refused _ ->
          assertThat(admitted && guaranteed && asker.live() == asker.held())
              .as("nobody is refused its guarantee, whatever its priority")
              .isFalse();
    }
    long[] entitled = ChunkShares.entitlements(asker, others, free);
    long[] higher = ChunkShares.entitlements(with(asker, asker.priority() + 3, 0), others, free);
    assertThat(higher[others.size()])
        .as("with a higher priority, but for what cannot be divided")
        .isGreaterThanOrEqualTo(entitled[others.size()] - others.size());
  }

  private static Member with(Member member, int priority, int leastWanted) {
    return new Member(
        member.name(),
        member.held(),
        member.live(),
        member.cached(),
        Math.max(member.wanted(), leastWanted),
        member.guarantee(),
        priority);
  }

  @Provide
  Arbitrary<List<Member>> members() {
    var counts = Arbitraries.integers().between(0, 30);
    return Combinators.combine(counts, counts, counts, counts, counts)
        .as((unused, live, cached, wanted, guarantee) ->
            new Member("m", unused + live + cached, live, cached, wanted, guarantee))
        .list()
        .ofMinSize(2)
        .ofMaxSize(5);
  }
}
