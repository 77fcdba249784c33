package dev.weft.autoscaler.scaling;

import dev.weft.functions.DurationText;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.Scaling;
import dev.weft.functions.instance.DeviceId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// Which loaded instances have been idle for long enough to go.
///
/// A busy instance stays. Of a function's newest revision the `min` most recently used stay however
/// long they idle; the others go when their keep-alive is over. An instance of an older revision
/// goes as soon as it is idle and the newest revision is loaded to take its place.
public final class KeepAlive {
  private static final Comparator<Loaded> MOST_RECENTLY_USED =
      Comparator.comparing(Loaded::lastUsedAt)
          .reversed()
          .thenComparing(loaded -> loaded.device().value());

  private KeepAlive() {}

  public static Plan decide(List<Loaded> instances, Instant now) {
    Map<FunctionName, List<Loaded>> byFunction =
        instances.stream()
            .collect(
                Collectors.groupingBy(
                    loaded -> loaded.revision().function(), TreeMap::new, Collectors.toList()));
    List<Unload> unloads = new ArrayList<>();
    List<Instant> deadlines = new ArrayList<>();
    for (List<Loaded> ofFunction : byFunction.values()) {
      List<Loaded> newest =
          ofFunction.stream().filter(Loaded::newest).sorted(MOST_RECENTLY_USED).toList();
      List<Loaded> older = ofFunction.stream().filter(loaded -> !loaded.newest()).toList();
      if (!newest.isEmpty()) {
        older.stream()
            .filter(loaded -> !loaded.busy())
            .map(KeepAlive::superseded)
            .forEach(unloads::add);
      }
      List<Loaded> mayExpire = new ArrayList<>(newest);
      if (newest.isEmpty()) {
        mayExpire.addAll(older.stream().sorted(MOST_RECENTLY_USED).toList());
      }
      for (int i = 0; i < mayExpire.size(); i++) {
        Loaded loaded = mayExpire.get(i);
        if (loaded.busy() || i < loaded.scaling().min()) {
          continue;
        }
        Instant deadline = loaded.lastUsedAt().plus(loaded.scaling().keepAlive());
        if (deadline.isAfter(now)) {
          deadlines.add(deadline);
        } else {
          unloads.add(idle(loaded, now));
        }
      }
    }
    return new Plan(unloads, deadlines.stream().min(Comparator.naturalOrder()));
  }

  private static Unload superseded(Loaded loaded) {
    return new Unload(
        loaded.device(), loaded.revision(), Reason.SUPERSEDED, "a newer revision is loaded");
  }

  private static Unload idle(Loaded loaded, Instant now) {
    return new Unload(
        loaded.device(),
        loaded.revision(),
        Reason.IDLE,
        "idle for %ds, keep-alive is %s"
            .formatted(
                Duration.between(loaded.lastUsedAt(), now).toSeconds(),
                DurationText.format(loaded.scaling().keepAlive())));
  }

  /// One loaded instance.
  ///
  /// @param newest whether it is of its function's newest revision
  /// @param busy whether it has requests, or is being loaded
  public record Loaded(
      DeviceId device,
      RevisionId revision,
      boolean newest,
      boolean busy,
      Instant lastUsedAt,
      Scaling scaling) {}

  /// What to unload, and when to look again should nothing happen; empty when nothing can expire.
  public record Plan(List<Unload> unloads, Optional<Instant> nextAt) {
    public Plan {
      unloads = List.copyOf(unloads);
    }
  }

  /// One instance that goes.
  public record Unload(DeviceId device, RevisionId revision, Reason reason, String detail) {}

  /// Why an instance goes.
  public enum Reason {
    IDLE,
    SUPERSEDED
  }
}
