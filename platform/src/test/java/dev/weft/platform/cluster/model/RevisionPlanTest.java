package dev.weft.platform.cluster.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.cluster.TrafficShare;
import dev.weft.platform.control.DeployedFunction.Share;
import java.time.Instant;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Which revisions there are to be.
class RevisionPlanTest {
  private static final Instant NOW = Instant.parse("2026-11-29T08:00:00Z");
  private static final FunctionName NAME = new FunctionName("f");

  private static FunctionSpec spec(int variant) {
    return FunctionSpec.of(
        new Model(null, List.of(ModelSource.of("file:///models/" + variant)), null));
  }

  private static List<Revision> revisions(int... numbers) {
    return IntStream.of(numbers)
        .mapToObj(number -> new Revision(new RevisionId(NAME, number), spec(number), NOW))
        .toList();
  }

  private static TrafficShare share(@Nullable Integer revision, int percent) {
    return new TrafficShare(revision, percent);
  }

  private static RevisionPlan plan(
      int variant, List<Revision> existing, int last, TrafficShare... traffic) {
    return RevisionPlan.decide(
        NAME,
        spec(variant),
        List.of(traffic),
        new RevisionPlan.Existing(existing, last, OptionalInt.of(1)),
        NOW);
  }

  @Test
  void theFirstAndEachOtherSpecMakeOne() {
    assertThat(plan(1, List.of(), 0).created())
        .hasValueSatisfying(revision -> assertThat(revision.id().number()).isEqualTo(1));
    assertThat(plan(2, revisions(1), 1).created()).isPresent();
    assertThat(plan(2, revisions(1), 1).active()).isEqualTo(2);
    assertThat(plan(1, revisions(1), 1).created()).isEmpty();
  }

  @Test
  void numbersGoOnFromTheHighestThereEverWas() {
    assertThat(plan(9, revisions(1, 2), 7).active()).isEqualTo(8);
  }

  @Test
  void anEarlierSpecIsANewRevisionWhereItIsNotTheNewest() {
    assertThat(plan(1, revisions(1, 2), 2).created()).isPresent();
  }

  @Test
  void aRollbackMakesNone() {
    RevisionPlan plan = plan(2, revisions(1, 2), 2, share(1, 100));
    assertThat(plan.created()).isEmpty();
    assertThat(plan.active()).isEqualTo(1);
    assertThat(plan.traffic()).isEmpty();
  }

  @Test
  void aCanaryGetsItsShareBesideTheActiveOne() {
    RevisionPlan plan = plan(3, revisions(1, 2), 2, share(2, 90), share(null, 10));
    assertThat(plan.active()).isEqualTo(2);
    assertThat(plan.traffic()).containsExactly(new Share(2, 90), new Share(3, 10));
  }

  @Test
  void sharesOfARevisionThatIsNamedTwiceAddUp() {
    RevisionPlan plan = plan(2, revisions(1, 2), 2, share(2, 40), share(null, 60));
    assertThat(plan.active()).isEqualTo(2);
    assertThat(plan.traffic()).isEmpty();
  }

  @Test
  void whatNamesARevisionThatIsNotThereChangesNobody() {
    RevisionPlan plan = plan(2, revisions(1, 2), 2, share(9, 100));
    assertThat(plan.active()).isEqualTo(1);
    assertThat(plan.problem())
        .hasValueSatisfying(text -> assertThat(text).contains("[9]", "[1, 2]"));
  }

  @Test
  void oldOnesGoButForThoseWithCalls() {
    List<Revision> many = revisions(IntStream.rangeClosed(1, 12).toArray());
    RevisionPlan plan = plan(12, many, 12, share(1, 50), share(12, 50));
    assertThat(plan.pruned()).containsExactly(new RevisionId(NAME, 2));
    assertThat(plan.revisions()).extracting(revision -> revision.id().number()).contains(1, 12);
    assertThat(plan.active()).isEqualTo(1);
  }
}
