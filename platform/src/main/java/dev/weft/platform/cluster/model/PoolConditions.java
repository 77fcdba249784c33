package dev.weft.platform.cluster.model;

import dev.weft.functions.cluster.Condition;
import dev.weft.functions.cluster.DevicePoolStatus;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// What a pool's status says.
public final class PoolConditions {
  public static final String WORKLOAD_APPLIED = "WorkloadApplied";
  public static final String DEVICES_READY = "DevicesReady";

  private PoolConditions() {}

  /// What there is to say it of.
  ///
  /// @param problem why the pool's workload could not be made
  /// @param wanted how many runtimes there are to be
  /// @param ready how many of them can be called
  /// @param before what was said last
  public record Facts(
      long generation, Optional<String> problem, int wanted, int ready, List<Condition> before) {
    public Facts {
      before = List.copyOf(before);
    }
  }

  public static DevicePoolStatus status(Facts facts, String selector, Instant now) {
    Condition applied =
        facts
            .problem()
            .map(problem -> condition(facts, WORKLOAD_APPLIED, Condition.FALSE, "Refused", problem))
            .orElseGet(() ->
                condition(
                    facts, WORKLOAD_APPLIED, Condition.TRUE, "Applied", "its workload is there"));
    int ready = facts.ready();
    Condition devices =
        facts.wanted() == 0
            ? condition(
                facts,
                DEVICES_READY,
                Condition.FALSE,
                "NoNodes",
                "no runtime is wanted: no node fits, or replicas is 0")
            : condition(
                facts,
                DEVICES_READY,
                ready >= facts.wanted() ? Condition.TRUE : Condition.FALSE,
                ready >= facts.wanted() ? "AllReady" : "NotReady",
                "%d of %d devices can be called".formatted(ready, facts.wanted()));
    Condition cause = facts.problem().isPresent() ? applied : devices;
    Condition summary =
        condition(facts, Condition.READY, cause.status(), cause.reason(), cause.message());
    return new DevicePoolStatus(
        facts.generation(),
        Stream.of(summary, applied, devices)
            .map(each -> FunctionConditions.at(each, facts.before(), now))
            .toList(),
        facts.wanted(),
        ready,
        selector);
  }

  private static Condition condition(
      Facts facts, String type, String status, String reason, String message) {
    return new Condition(type, status, reason, message, Instant.EPOCH, facts.generation());
  }
}
