package dev.weft.platform.cluster.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.cluster.Condition;
import dev.weft.functions.cluster.FunctionStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.platform.cluster.model.FunctionConditions.Facts;
import dev.weft.platform.cluster.model.FunctionConditions.Problem;
import dev.weft.platform.control.DeployedFunction;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// What a status says of a function whose revision is on no device.
class FunctionConditionsTest {
  private static final Instant NOW = Instant.parse("2026-11-29T08:00:00Z");
  private static final Instant LATER = NOW.plusSeconds(60);

  private Optional<Problem> problem = Optional.empty();
  private Optional<Failure> failure = Optional.empty();
  private boolean someDevice = true;
  private @Nullable FunctionStatus before;

  private static DeployedFunction function() {
    return function(new FunctionName("f"));
  }

  private static DeployedFunction function(FunctionName name) {
    FunctionSpec spec =
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:///m")), null));
    return new DeployedFunction(
        name, Map.of(), 1, List.of(new Revision(new RevisionId(name, 1), spec, NOW)), NOW, NOW);
  }

  private FunctionStatus status(@Nullable DeployedFunction deployed, Instant now) {
    return FunctionConditions.status(
        new Facts(
            7, deployed, problem, List.of(), failure, someDevice, Optional.of("http://x"), before),
        "a=b",
        now);
  }

  private String ready(@Nullable DeployedFunction deployed) {
    Condition ready = status(deployed, NOW).conditions().getFirst();
    assertThat(ready.type()).isEqualTo("Ready");
    assertThat(ready.observedGeneration()).isEqualTo(7);
    return ready.status() + " " + ready.reason();
  }

  @Test
  void whatIsScaledToZeroCanBeCalled() {
    assertThat(ready(function())).isEqualTo("True ScaledToZero");
    assertThat(status(function(), NOW).traffic())
        .containsExactly(new FunctionStatus.RevisionShare("f-00001", 100));
    assertThat(status(function(), NOW).url()).isEqualTo("http://x/v1");
  }

  /// Who reads it has the objects of that namespace before him.
  @Test
  void revisionsAreCalledAsTheirObjectsAre() {
    FunctionStatus status = status(function(FunctionName.in("team-a", "f")), NOW);
    assertThat(status.activeRevision()).isEqualTo("f-00001");
    assertThat(status.latestRevision()).isEqualTo("f-00001");
    assertThat(status.traffic()).containsExactly(new FunctionStatus.RevisionShare("f-00001", 100));
  }

  @Test
  void whatCannotBeLoadedCannot() {
    someDevice = false;
    assertThat(ready(function())).isEqualTo("False NoDevice");
    failure = Optional.of(new Failure("model_invalid", "no such file", true));
    assertThat(ready(function())).isEqualTo("False LoadFailed");
    assertThat(status(function(), NOW).conditions().getFirst().message()).isEqualTo("no such file");
  }

  @Test
  void whatWasNotAcceptedIsSaidFirst() {
    problem = Optional.of(new Problem("InvalidSpec", "spec.scaling: min is more than max"));
    assertThat(ready(function())).isEqualTo("False InvalidSpec");
    assertThat(ready(null)).isEqualTo("False InvalidSpec");
    assertThat(status(null, NOW).activeRevision()).isNull();
  }

  @Test
  void conditionsKeepTheTimeOfTheirLastChange() {
    before = status(function(), NOW);
    assertThat(status(function(), LATER)).isEqualTo(before);
    someDevice = false;
    assertThat(status(function(), LATER).conditions())
        .extracting(Condition::type, Condition::lastTransitionTime)
        .containsExactly(
            org.assertj.core.api.Assertions.tuple("Ready", LATER),
            org.assertj.core.api.Assertions.tuple("SpecAccepted", NOW),
            org.assertj.core.api.Assertions.tuple("Loaded", NOW));
  }
}
