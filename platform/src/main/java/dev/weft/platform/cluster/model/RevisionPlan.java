package dev.weft.platform.cluster.model;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.cluster.TrafficShare;
import dev.weft.platform.control.DeployedFunction.Share;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// Which revisions a function is to have, and which of them get its calls.
///
/// @param revisions all that are kept, a new one included, oldest first
/// @param created the new one
/// @param pruned those that are too old
/// @param active the one that gets the most calls
/// @param traffic who gets how many of a hundred; empty where the active one gets all
/// @param problem why the traffic that was asked for cannot be
public record RevisionPlan(
    List<Revision> revisions,
    Optional<Revision> created,
    List<RevisionId> pruned,
    int active,
    List<Share> traffic,
    Optional<String> problem) {
  /// Revisions kept of one function beside those that get calls.
  public static final int KEPT = 10;

  private static final int ALL = 100;

  public RevisionPlan {
    revisions = List.copyOf(revisions);
    pruned = List.copyOf(pruned);
    traffic = List.copyOf(traffic);
  }

  /// What is there of a function.
  ///
  /// @param revisions oldest first
  /// @param lastNumber the highest number that a revision of it ever had
  /// @param active the revision that got the most calls so far
  public record Existing(List<Revision> revisions, int lastNumber, OptionalInt active) {
    public Existing {
      revisions = List.copyOf(revisions);
    }

    private int highest() {
      return revisions.isEmpty()
          ? lastNumber
          : Math.max(lastNumber, revisions.getLast().id().number());
    }
  }

  public static RevisionPlan decide(
      FunctionName name,
      FunctionSpec spec,
      List<TrafficShare> asked,
      Existing existing,
      Instant now) {
    List<Revision> all = new ArrayList<>(existing.revisions());
    Optional<Revision> created = Optional.empty();
    if (all.isEmpty() || !all.getLast().spec().equals(spec)) {
      created = Optional.of(new Revision(new RevisionId(name, existing.highest() + 1), spec, now));
      all.add(created.get());
    }
    int newest = all.getLast().id().number();
    Map<Integer, Integer> shares = shares(asked, newest);
    Set<Integer> numbers =
        all.stream().map(revision -> revision.id().number()).collect(Collectors.toSet());
    Optional<String> problem = Optional.empty();
    if (!numbers.containsAll(shares.keySet())) {
      problem =
          Optional.of(
              "traffic names revisions that are not there: %s; there are %s"
                  .formatted(
                      shares.keySet().stream().filter(each -> !numbers.contains(each)).toList(),
                      numbers.stream().sorted().toList()));
      int stays = existing.active().orElse(newest);
      shares = Map.of(numbers.contains(stays) ? stays : newest, ALL);
    }
    return plan(all, created, shares, problem);
  }

  private static RevisionPlan plan(
      List<Revision> all,
      Optional<Revision> created,
      Map<Integer, Integer> shares,
      Optional<String> problem) {
    List<RevisionId> pruned =
        all.stream()
            .limit(Math.max(0, all.size() - KEPT))
            .map(Revision::id)
            .filter(id -> !shares.containsKey(id.number()))
            .toList();
    return new RevisionPlan(
        all.stream().filter(revision -> !pruned.contains(revision.id())).toList(),
        created,
        pruned,
        most(shares),
        shares.size() == 1
            ? List.of()
            : shares.entrySet().stream()
                .map(share -> new Share(share.getKey(), share.getValue()))
                .toList(),
        problem);
  }

  /// By revision, in the order of their numbers; those that get nothing are left out.
  private static Map<Integer, Integer> shares(List<TrafficShare> asked, int newest) {
    Map<Integer, Integer> shares = new TreeMap<>();
    for (TrafficShare share : asked) {
      Integer revision = share.revision();
      if (share.percent() > 0) {
        shares.merge(revision == null ? newest : revision, share.percent(), Integer::sum);
      }
    }
    if (shares.isEmpty()) {
      shares.put(newest, ALL);
    }
    return shares;
  }

  /// The earlier one of two that get the same.
  private static int most(Map<Integer, Integer> shares) {
    return shares.entrySet().stream()
        .max(
            Map.Entry.<Integer, Integer>comparingByValue()
                .thenComparing(Map.Entry.<Integer, Integer>comparingByKey().reversed()))
        .orElseThrow()
        .getKey();
  }
}
