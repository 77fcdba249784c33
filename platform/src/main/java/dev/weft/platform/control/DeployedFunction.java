package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Revision;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A function as users deployed it: its revisions and the one that is to answer.
///
/// @param activeNumber the revision that callers are to get, or most of them
/// @param revisions oldest first; the active one is among them
/// @param traffic where calls are divided: who gets how many of them; empty where the active
///   revision gets all
public record DeployedFunction(
    FunctionName name,
    Map<String, String> labels,
    int activeNumber,
    List<Revision> revisions,
    Instant createdAt,
    Instant updatedAt,
    @Nullable List<Share> traffic) {
  public DeployedFunction {
    labels = Map.copyOf(labels);
    revisions = List.copyOf(revisions);
    traffic = traffic == null ? List.of() : List.copyOf(traffic);
    if (revisions.stream().noneMatch(revision -> revision.id().number() == activeNumber)) {
      throw new IllegalArgumentException(
          "function %s has no revision %d".formatted(name, activeNumber));
    }
  }

  /// One whose active revision gets all calls.
  public DeployedFunction(
      FunctionName name,
      Map<String, String> labels,
      int activeNumber,
      List<Revision> revisions,
      Instant createdAt,
      Instant updatedAt) {
    this(name, labels, activeNumber, revisions, createdAt, updatedAt, null);
  }

  /// What a revision gets of a hundred calls.
  public record Share(int revision, int percent) {}

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

  /// The revisions beside the active one that get calls.
  public List<Revision> canaries() {
    return shares()
        .filter(share -> share.revision() != activeNumber && share.percent() > 0)
        .flatMap(share -> revision(share.revision()).stream())
        .toList();
  }

  /// Whether calls go to this revision: to the active one, or as its share.
  public boolean serves(Revision revision) {
    return revision.id().number() == activeNumber || canaries().contains(revision);
  }

  /// The revision that a call gets.
  ///
  /// @param draw a number from 0 to 99, any as likely as another
  public Revision drawn(int draw) {
    int sum = 0;
    for (Share share : shares().toList()) {
      sum += share.percent();
      if (draw < sum) {
        return revision(share.revision()).orElseGet(this::active);
      }
    }
    return active();
  }

  private Stream<Share> shares() {
    return traffic == null ? Stream.empty() : traffic.stream();
  }
}
