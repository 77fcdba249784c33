package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Revision;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A function as users deployed it: its revisions and the one that is to answer.
///
/// @param activeNumber the revision that callers are to get
/// @param revisions oldest first; the active one is among them
public record DeployedFunction(
    FunctionName name,
    Map<String, String> labels,
    int activeNumber,
    List<Revision> revisions,
    Instant createdAt,
    Instant updatedAt) {
  public DeployedFunction {
    labels = Map.copyOf(labels);
    revisions = List.copyOf(revisions);
    if (revisions.stream().noneMatch(revision -> revision.id().number() == activeNumber)) {
      throw new IllegalArgumentException(
          "function %s has no revision %d".formatted(name, activeNumber));
    }
  }

  /// The revision that callers are to get.
  public Revision active() {
    return revision(activeNumber).orElseThrow();
  }

  public FunctionSpec spec() {
    return active().spec();
  }

  public Optional<Revision> revision(int number) {
    return revisions.stream().filter(revision -> revision.id().number() == number).findFirst();
  }
}
