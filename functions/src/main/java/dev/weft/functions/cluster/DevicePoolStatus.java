package dev.weft.functions.cluster;

import java.util.List;

/// What the operator says of a pool.
///
/// @param observedGeneration the generation of the spec that this was said of
/// @param conditions `Ready`, and what it depends on: `WorkloadApplied`, `DevicesReady`
/// @param replicas how many runtimes there are to be
/// @param ready how many of them can be called
/// @param selector the labels of the runtimes' pods
public record DevicePoolStatus(
    Long observedGeneration,
    List<Condition> conditions,
    Integer replicas,
    Integer ready,
    String selector) {
  public DevicePoolStatus {
    conditions = conditions == null ? List.of() : List.copyOf(conditions);
  }
}
