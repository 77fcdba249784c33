package dev.weft.functions.cluster;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What the operator says of a function.
///
/// @param observedGeneration the generation of the spec that this was said of
/// @param conditions `Ready`, and what it depends on: `SpecAccepted`, `RevisionCreated`, `Loaded`
/// @param activeRevision the revision that most calls get
/// @param latestRevision the newest revision
/// @param lastNumber the highest number that a revision ever had
/// @param traffic which revision gets how many of a hundred calls
/// @param url where the function is called
/// @param instances how many instances answer
/// @param devices on which devices these are
/// @param selector the labels of the function's revisions
public record FunctionStatus(
    Long observedGeneration,
    List<Condition> conditions,
    @Nullable String activeRevision,
    @Nullable String latestRevision,
    @Nullable Integer lastNumber,
    List<RevisionShare> traffic,
    @Nullable String url,
    Integer instances,
    List<String> devices,
    String selector) {
  public FunctionStatus {
    conditions = conditions == null ? List.of() : List.copyOf(conditions);
    traffic = traffic == null ? List.of() : List.copyOf(traffic);
    devices = devices == null ? List.of() : List.copyOf(devices);
  }

  /// What one revision gets.
  ///
  /// @param revision its name
  /// @param percent how many of a hundred calls
  public record RevisionShare(String revision, Integer percent) {}
}
