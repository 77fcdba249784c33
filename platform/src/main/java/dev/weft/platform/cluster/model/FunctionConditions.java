package dev.weft.platform.cluster.model;

import dev.weft.functions.cluster.Condition;
import dev.weft.functions.cluster.FunctionStatus;
import dev.weft.functions.cluster.FunctionStatus.RevisionShare;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.Tier;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.Fleet;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// What a function's status says.
public final class FunctionConditions {
  public static final String SPEC_ACCEPTED = "SpecAccepted";
  public static final String LOADED = "Loaded";

  private FunctionConditions() {}

  /// Why a spec cannot be taken as it is.
  public record Problem(String reason, String message) {}

  /// What there is to say it of.
  ///
  /// @param generation of the spec that was looked at
  /// @param deployed `null` while there is no revision
  /// @param placed the active revision's instances
  /// @param failure why the active revision could not be loaded
  /// @param someDevice whether there is a device that may take it
  /// @param url where it is called
  /// @param before what was said last
  public record Facts(
      long generation,
      @Nullable DeployedFunction deployed,
      Optional<Problem> problem,
      List<Fleet.Placed> placed,
      Optional<Failure> failure,
      boolean someDevice,
      Optional<String> url,
      @Nullable FunctionStatus before) {
    public Facts {
      placed = List.copyOf(placed);
    }

    private List<Fleet.Placed> ready() {
      return placed.stream().filter(each -> each.instance().tier() == Tier.READY).toList();
    }

    private boolean loading() {
      return placed.stream().map(Fleet.Placed::instance).anyMatch(InstanceStatus::loading);
    }
  }

  public static FunctionStatus status(Facts facts, String selector, Instant now) {
    Condition accepted =
        facts
            .problem()
            .map(problem ->
                condition(
                    facts, SPEC_ACCEPTED, Condition.FALSE, problem.reason(), problem.message()))
            .orElseGet(() ->
                condition(facts, SPEC_ACCEPTED, Condition.TRUE, "Accepted", "the spec can be run"));
    Condition loaded = loaded(facts);
    List<Condition> conditions =
        Stream.of(ready(facts, accepted, loaded), accepted, loaded)
            .map(condition -> at(condition, facts.before(), now))
            .toList();
    DeployedFunction deployed = facts.deployed();
    List<Fleet.Placed> ready = facts.ready();
    return new FunctionStatus(
        facts.generation(),
        conditions,
        deployed == null ? null : deployed.active().id().local(),
        deployed == null ? null : deployed.revisions().getLast().id().local(),
        lastNumber(facts),
        deployed == null ? List.of() : traffic(deployed),
        facts.url().map(url -> url + "/v1").orElse(null),
        ready.size(),
        ready.stream().map(each -> each.device().id().value()).toList(),
        selector);
  }

  private static Condition loaded(Facts facts) {
    DeployedFunction deployed = facts.deployed();
    if (deployed == null) {
      return condition(facts, LOADED, Condition.FALSE, "NoRevision", "there is nothing to load");
    }
    int ready = facts.ready().size();
    if (ready > 0) {
      return condition(
          facts, LOADED, Condition.TRUE, "InstancesReady", "%d instances answer".formatted(ready));
    }
    if (facts.failure().isPresent()) {
      return condition(
          facts, LOADED, Condition.FALSE, "LoadFailed", facts.failure().get().message());
    }
    if (facts.loading()) {
      return condition(facts, LOADED, Condition.UNKNOWN, "Loading", "an instance is being loaded");
    }
    if (!facts.someDevice()) {
      return condition(
          facts,
          LOADED,
          Condition.FALSE,
          "NoDevice",
          "no device of %s is up".formatted(deployed.spec().devices()));
    }
    return deployed.spec().scaling().pinned()
        ? condition(
            facts, LOADED, Condition.UNKNOWN, "Waiting", "its minimum of instances is to be loaded")
        : condition(facts, LOADED, Condition.FALSE, "ScaledToZero", "the next call loads it");
  }

  /// A function that is scaled to zero can be called.
  private static Condition ready(Facts facts, Condition accepted, Condition loaded) {
    Condition cause =
        facts.deployed() == null || !accepted.status().equals(Condition.TRUE) ? accepted : loaded;
    boolean idle = cause.reason().equals("ScaledToZero");
    return condition(
        facts,
        Condition.READY,
        idle ? Condition.TRUE : cause.status(),
        cause.reason(),
        cause.message());
  }

  private static Condition condition(
      Facts facts, String type, String status, String reason, String message) {
    return new Condition(type, status, reason, message, Instant.EPOCH, facts.generation());
  }

  /// Conditions keep the time at which their status changed.
  private static Condition at(Condition said, @Nullable FunctionStatus before, Instant now) {
    return at(said, before == null ? List.of() : before.conditions(), now);
  }

  static Condition at(Condition said, List<Condition> before, Instant now) {
    Instant since =
        before.stream()
            .filter(each -> each.type().equals(said.type()))
            .filter(each -> each.status().equals(said.status()))
            .map(Condition::lastTransitionTime)
            .findFirst()
            .orElse(now.truncatedTo(ChronoUnit.SECONDS));
    return new Condition(
        said.type(),
        said.status(),
        said.reason(),
        said.message(),
        since,
        said.observedGeneration());
  }

  private static @Nullable Integer lastNumber(Facts facts) {
    FunctionStatus before = facts.before();
    Integer told = before == null ? null : before.lastNumber();
    DeployedFunction deployed = facts.deployed();
    if (deployed == null) {
      return told;
    }
    int newest = deployed.revisions().getLast().id().number();
    return told == null ? newest : Math.max(told, newest);
  }

  private static List<RevisionShare> traffic(DeployedFunction deployed) {
    List<DeployedFunction.Share> shares = deployed.traffic();
    if (shares == null || shares.isEmpty()) {
      return List.of(new RevisionShare(deployed.active().id().local(), 100));
    }
    return shares.stream()
        .map(share ->
            new RevisionShare(
                deployed
                    .revision(share.revision())
                    .map(revision -> revision.id().local())
                    .orElse("?"),
                share.percent()))
        .toList();
  }

  /// Whether a device still holds, or is about to hold, something of a function.
  public static boolean held(InstanceStatus instance) {
    return instance.tier().atLeast(Tier.DEVICE) || instance.loading();
  }
}
